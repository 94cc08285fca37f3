from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from relief.formats.reader import (
    ChangedLabels,
    ClassLabels,
    join_panoptic,
    path_of_key,
    printable,
    writable_key,
)
from relief.schema.errors import ReadError
from relief.schema.label_spaces import CITYSCAPES_19


@pytest.mark.parametrize("key", ["a", "b/c", "a.png", "zürich/straße 1", "..a", "a..b/c..."])
def test_keys_become_paths_below_the_folder(tmp_path: Path, key: str) -> None:
    path = path_of_key(tmp_path, key, ".png")
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert path.as_posix() == f"{tmp_path}/{key}.png"


@pytest.mark.parametrize("key", ["", ".", "/a", "..", "a/../b", "a\0"])
def test_keys_with_a_way_out_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="expected a key"):
        path_of_key(tmp_path, key, ".png")


def test_names_of_any_bytes_are_told_as_text() -> None:
    assert printable("zürich/straße 1") == "zürich/straße 1"
    assert printable("stra\udcdfe") == r"stra\xdfe"


def test_keys_are_short_enough_for_a_suffix(tmp_path: Path) -> None:
    assert writable_key("a/" + "b" * 251) == "a/" + "b" * 251
    keys = {writable_key(name) for name in ("ü" * 126, "ü" * 127, "\udcdf" * 100, "a/" + "b" * 252)}
    assert len(keys) == 4
    for key in keys:
        path = path_of_key(tmp_path, key, ".png")
        path.parent.mkdir(exist_ok=True)
        path.write_text("")


def test_ignored_pixels_have_no_instance() -> None:
    semantic, instance = torch.tensor([[-1, 0, 3]]), torch.tensor([[4, 0, 5]])
    joined = join_panoptic(semantic, instance, Path("a"))
    assert joined.tolist() == [[[-1, 0], [0, 0], [3, 5]]]


def test_maps_of_two_sizes_are_told() -> None:
    with pytest.raises(ReadError, match=r"differ in size: a\.png \(2x3 and 3x2\)"):
        join_panoptic(torch.zeros(2, 3), torch.zeros(3, 2), Path("a.png"))


def test_ids_of_changed_labels_and_of_classes() -> None:
    class Changed(ChangedLabels):
        labels = SimpleNamespace(num_categories=7, thing_ids=None)

    class Classes(ClassLabels):
        space = CITYSCAPES_19

    assert (Changed().num_categories, Changed().thing_ids) == (7, None)
    assert Classes().num_categories == 19
    assert Classes().thing_ids == CITYSCAPES_19.things
