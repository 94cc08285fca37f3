from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from relief.formats.label_png import write_png
from relief.formats.segment_ids import (
    MAX_CATEGORIES,
    MAX_INSTANCES,
    read_segment_ids,
    segment_ids,
    split_segment_ids,
    write_segment_ids,
)
from relief.schema.errors import ReadError


def test_the_largest_ids_fit_into_24_bits() -> None:
    is_thing = torch.ones(MAX_CATEGORIES, dtype=torch.bool)
    ids = segment_ids(torch.tensor([[[MAX_CATEGORIES - 1, MAX_INSTANCES]]]), is_thing)
    assert ids.tolist() == [[2**24 - 1]]
    category, instance = split_segment_ids(ids)
    assert (category.item(), instance.item()) == (510, 32767)


def test_void_stuff_and_things() -> None:
    panoptic = torch.tensor([[[-1, 0], [0, 0], [1, 0], [1, 1]]])
    ids = segment_ids(panoptic, torch.tensor([False, True]))
    assert ids.tolist() == [[0, 32768, 0, 65537]]
    category, instance = split_segment_ids(ids)
    assert category.tolist() == [[-1, 0, -1, 1]]
    assert instance.tolist() == [[0, 0, 0, 1]]


def test_more_categories_than_the_encoding_holds_are_refused() -> None:
    is_thing = torch.zeros(600, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"in \[-1, 511\), got 511 to 511"):
        segment_ids(torch.tensor([[[511, 0]]]), is_thing)


def test_files_hold_every_id(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 255, 256, 65535, 65536, 2**24 - 1]], dtype=np.uint32)
    write_segment_ids(tmp_path / "a.png", ids)
    assert np.array_equal(read_segment_ids(tmp_path / "a.png"), ids)


def test_a_gray_file_holds_no_segments(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.ones((2, 2), np.uint8))
    with pytest.raises(ReadError, match="gray, expected RGB"):
        read_segment_ids(tmp_path / "a.png")
