from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from relief.formats.cups import (
    ALL_PIXELS,
    INSIDE_INSTANCES,
    PER_INSTANCE,
    CupsLabels,
    key_of_name,
    name_of_key,
    write_cups,
)
from relief.schema.errors import ReadError, UsageError
from tests.contracts.reader import ReaderContract

CITY_KEY = "aachen/aachen_000000_000019"
KEYS = ["a", "deep/a", "aachen_000000_000019", CITY_KEY, "100%/b_c", "zürich/1"]


class Labels:
    def __init__(self, num_categories: int, maps: dict[str, torch.Tensor]) -> None:
        self.num_categories = num_categories
        self.thing_ids = None
        self.maps = maps
        self.keys = sorted(maps)

    def semantic(self, key: str) -> torch.Tensor:
        return self.maps[key][..., 0]

    def panoptic(self, key: str) -> torch.Tensor:
        return self.maps[key]


def random_map(seed: int, num_categories: int, num_instances: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    category = torch.randint(-1, num_categories, (12, 18), generator=generator)
    instance = torch.randint(0, num_instances + 1, (12, 18), generator=generator)
    instance[0, 0], category[0, 0] = num_instances, 0
    return torch.stack((category, instance.where(category >= 0, 0)), dim=-1)


@pytest.mark.parametrize(
    ("num_categories", "num_instances", "modes"),
    [(80, 255, ("L", "L")), (255, 300, ("L", "I;16")), (300, 20, ("I;16", "L"))],
)
def test_what_is_written_reads_back_equal(
    tmp_path: Path, num_categories: int, num_instances: int, modes: tuple[str, str]
) -> None:
    maps = {key: random_map(i, num_categories, num_instances) for i, key in enumerate(KEYS)}
    write_cups(tmp_path, Labels(num_categories, maps))
    read = CupsLabels(tmp_path)
    assert read.keys == sorted(KEYS)
    assert (read.num_categories, read.thing_ids) == (num_categories, None)
    for key in KEYS:
        assert torch.equal(read.panoptic(key), maps[key])
        assert torch.equal(read.semantic(key), maps[key][..., 0])
    for kind, mode in zip(("semantic", "instance"), modes, strict=True):
        path = tmp_path / f"aachen_000000_000019_leftImg8bit_{kind}.png"
        with Image.open(path) as image:
            assert image.mode == mode


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_keys_come_back_from_flat_names(key: str) -> None:
    assert "/" not in name_of_key(key)
    assert key_of_name(name_of_key(key)) == key


def test_statistics_are_counted_from_the_files(tmp_path: Path) -> None:
    one = torch.tensor([[[0, 0], [1, 1], [1, 2]], [[1, 0], [-1, 0], [2, 3]]])
    two = torch.tensor([[[1, 7], [1, 7]]])
    write_cups(tmp_path, Labels(4, {"a": one, "b": two}))
    expected = {
        ALL_PIXELS: [1, 5, 1, 0],
        INSIDE_INSTANCES: [0, 4, 1, 0],
        PER_INSTANCE: [0, 3, 1, 0],
    }
    on_disk = torch.load(tmp_path / "pseudo_classes_split_0.pt", weights_only=True)
    assert {name: counts.tolist() for name, counts in on_disk.items()} == expected
    assert all(counts.dtype == torch.int64 for counts in on_disk.values())
    torch.save({ALL_PIXELS: torch.ones(4)}, tmp_path / "b.pt")  # as others write, one per image
    (tmp_path / "._pseudo_classes_split_0.pt").write_bytes(b"left by a file manager")
    assert CupsLabels(tmp_path).statistics()[ALL_PIXELS].tolist() == [2, 6, 2, 1]


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    labels = Labels(5, {"a": random_map(0, 5, 9)})
    for name in ("one", "two"):
        write_cups(tmp_path / name, labels)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two


def test_a_missing_file_shifts_nothing(tmp_path: Path) -> None:
    maps = {name: random_map(i, 5, 9) for i, name in enumerate("abc")}
    write_cups(tmp_path, Labels(5, maps))
    (tmp_path / "b_leftImg8bit_instance.png").unlink()
    read = CupsLabels(tmp_path)
    assert read.keys == ["a", "c"]
    assert torch.equal(read.panoptic("c"), maps["c"])


def test_maps_of_two_sizes_are_told(tmp_path: Path) -> None:
    for kind, size in (("semantic", (2, 3)), ("instance", (4, 6))):
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / f"a_{kind}.png")
    with pytest.raises(ReadError, match=r"differ in size: .*a_instance.png \(2x3 and 4x6\)"):
        CupsLabels(tmp_path).panoptic("a")


def test_without_statistics_the_files_say_how_many_classes(tmp_path: Path) -> None:
    Image.fromarray(np.array([[3, 255]], np.uint8)).save(tmp_path / "a_semantic.png")
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "a_instance.png")
    read = CupsLabels(tmp_path)
    assert read.statistics() is None
    assert read.num_categories == 4
    assert read.panoptic("a").tolist() == [[[3, 0], [-1, 0]]]


def test_empty_folder_and_unreadable_statistics(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no CUPS labels found"):
        _ = CupsLabels(tmp_path).keys
    (tmp_path / "a.pt").write_bytes(b"<html>")
    with pytest.raises(UsageError, match=r"cannot read CUPS statistics: .*a\.pt"):
        CupsLabels(tmp_path).statistics()


@pytest.mark.parametrize(
    "content",
    [
        {ALL_PIXELS: {}},
        {ALL_PIXELS: torch.eye(2)},
        {ALL_PIXELS: torch.ones(3), PER_INSTANCE: torch.ones(4)},
    ],
)
def test_statistics_of_another_shape_are_one_line(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"cannot read CUPS statistics: .*a\.pt"):
        CupsLabels(tmp_path).statistics()


def test_any_of_the_statistics_says_how_many_classes(tmp_path: Path) -> None:
    torch.save({PER_INSTANCE: torch.ones(6)}, tmp_path / "a.pt")
    assert CupsLabels(tmp_path).num_categories == 6


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("true",)


def test_statistics_that_hold_code_are_not_run(tmp_path: Path) -> None:
    torch.save({ALL_PIXELS: Payload()}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match="cannot read CUPS statistics"):
        CupsLabels(tmp_path).statistics()


class TestCupsLabels(ReaderContract):
    @pytest.fixture
    def labels(self, tmp_path):
        maps = {key: random_map(i, 80, 5) for i, key in enumerate(KEYS)}
        write_cups(tmp_path, Labels(80, maps))
        return CupsLabels(tmp_path)
