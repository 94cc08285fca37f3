from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from relief.formats.label_png import write_png
from relief.formats.segment_ids import (
    MAX_CATEGORIES,
    MAX_INSTANCES,
    checked_segment_ids,
    compose_segment_ids,
    read_segment_ids,
    segment_ids,
    split_segment_ids,
    write_segment_ids,
)
from relief.schema.errors import ReadError
from tests.fake_cuda import FakeCuda


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
    with pytest.raises(ValueError, match=r"categories in \[-1, 511\)"):
        segment_ids(torch.tensor([[[511, 0]]]), is_thing)


def test_ids_are_composed_where_the_map_is_without_waiting() -> None:
    generator = torch.Generator().manual_seed(0)
    panoptic = torch.randint(-1, 80, (32, 64, 2), generator=generator)
    panoptic[..., 1].clamp_(min=0)
    is_thing = torch.arange(80) % 3 == 0
    expected = segment_ids(panoptic, is_thing)
    with FakeCuda() as device:
        ids = compose_segment_ids(panoptic.cuda(), is_thing.cuda())
        assert not device.waits
        assert (ids.is_cuda, ids.dtype) == (True, torch.int32)
        assert np.array_equal(checked_segment_ids(ids.cpu(), 80), expected)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [((3, 0), "categories"), ((-2, 0), "categories"), ((1, -1), "instances"), ((0, 2**15), "inst")],
)
def test_what_no_id_stands_for_is_refused(pair: tuple[int, int], reason: str) -> None:
    with pytest.raises(ValueError, match=f"expected {reason}"):
        segment_ids(torch.tensor([[[0, 0], pair]]), torch.tensor([False, True, False]))


def test_files_hold_every_id(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 255, 256, 65535, 65536, 2**24 - 1]], dtype=np.uint32)
    write_segment_ids(tmp_path / "a.png", ids)
    assert np.array_equal(read_segment_ids(tmp_path / "a.png"), ids)


def test_a_gray_file_holds_no_segments(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.ones((2, 2), np.uint8))
    with pytest.raises(ReadError, match="gray, expected RGB"):
        read_segment_ids(tmp_path / "a.png")
