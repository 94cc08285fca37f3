from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.cityscapes import CityscapesLabels, write_cityscapes
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19, CITYSCAPES_27, LabelSpace
from tests.contracts.reader import ReaderContract

KEY = "aachen/aachen_000000_000019"


def write_ids(path: Path, ids: list[list[int]], dtype: type) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(ids, dtype=dtype)).save(path)


def draw_tree(root: Path, *keys: str, ground_truth: bool = True) -> None:
    for key in keys:
        write_ids(root / f"leftImg8bit/val/{key}_leftImg8bit.png", [[0, 1], [2, 3]], np.uint8)
        if ground_truth:
            stem = root / f"gtFine/val/{key}_gtFine"
            write_ids(Path(f"{stem}_labelIds.png"), [[7, 26], [26, 3]], np.uint8)
            write_ids(Path(f"{stem}_instanceIds.png"), [[7, 26], [26004, 3]], np.uint16)


class Labels:
    """Any labels, as every format offers them."""

    def __init__(self, space: LabelSpace, panoptic: dict[str, torch.Tensor]) -> None:
        self.num_categories = space.num_classes
        self.thing_ids = space.things
        self.maps = panoptic
        self.keys = sorted(panoptic)

    def semantic(self, key: str) -> torch.Tensor:
        return self.maps[key][..., 0]

    def panoptic(self, key: str) -> torch.Tensor:
        return self.maps[key]


def random_labels(space: LabelSpace, *keys: str) -> Labels:
    generator = torch.Generator().manual_seed(0)
    maps = {}
    for key in keys:
        category = torch.randint(-1, space.num_classes, (20, 30), generator=generator)
        instance = torch.randint(0, 1001, (20, 30), generator=generator)
        is_thing = torch.isin(category, torch.tensor(space.things))
        maps[key] = torch.stack((category, instance.where(is_thing, 0)), dim=-1)
    return Labels(space, maps)


@pytest.mark.parametrize("space", [CITYSCAPES_19, CITYSCAPES_27])
def test_what_is_exported_reads_back_equal(tmp_path: Path, space: LabelSpace) -> None:
    labels = random_labels(space, KEY, "a photograph", "deep/er/x")
    write_cityscapes(tmp_path, labels, space)
    read = CityscapesLabels(tmp_path, "val", space)
    assert read.keys == labels.keys
    assert read.thing_ids == space.things
    for key in labels.keys:
        assert torch.equal(read.panoptic(key), labels.panoptic(key))
        assert torch.equal(read.semantic(key), labels.semantic(key))


def test_clusters_do_not_fit(tmp_path: Path) -> None:
    labels = random_labels(CITYSCAPES_19, KEY)
    labels.num_categories = 80
    with pytest.raises(UsageError, match="clusters are not Cityscapes ids: the labels have 80"):
        write_cityscapes(tmp_path, labels, CITYSCAPES_19)
    labels.num_categories, labels.thing_ids = 19, (3, 4)  # 19 clusters are not classes either
    with pytest.raises(UsageError, match="clusters are not Cityscapes ids"):
        write_cityscapes(tmp_path, labels, CITYSCAPES_19)
    assert not any(tmp_path.iterdir())


def test_instance_ids_above_1000_are_numbered_by_class(tmp_path: Path) -> None:
    labels = Labels(CITYSCAPES_19, {KEY: torch.tensor([[[13, 5], [13, 3000], [12, 3000], [0, 0]]])})
    write_cityscapes(tmp_path, labels, CITYSCAPES_19)
    read = CityscapesLabels(tmp_path, "val", CITYSCAPES_19).panoptic(KEY)
    assert read.tolist() == [[[13, 1], [13, 2], [12, 1], [0, 0]]]


def test_more_than_1000_objects_of_a_class_are_told(tmp_path: Path) -> None:
    ids = torch.arange(1, 1002)
    panoptic = torch.stack((torch.full_like(ids, 13), ids), dim=-1)[None]
    with pytest.raises(UsageError, match="class 13 has 1001"):
        write_cityscapes(tmp_path, Labels(CITYSCAPES_19, {KEY: panoptic}), CITYSCAPES_19)


def test_cityscapesscripts_reads_the_ids_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cityscapesscripts")
    rotations = ModuleType("pyquaternion")  # imported by its 3D boxes, which are not used here
    rotations.Quaternion = object
    monkeypatch.setitem(sys.modules, "pyquaternion", rotations)
    from cityscapesscripts.evaluation.instances2dict import instances2dict

    labels = random_labels(CITYSCAPES_19, KEY)
    write_cityscapes(tmp_path, labels, CITYSCAPES_19)
    path = str(CityscapesLabels(tmp_path, "val", CITYSCAPES_19).ids.instance_path(KEY))
    found = instances2dict([path], verbose=False)[path]
    panoptic = labels.panoptic(KEY)
    for class_id in CITYSCAPES_19.things:
        of_class = panoptic[panoptic[..., 0] == class_id][:, 1]
        objects = [one for one in found[CITYSCAPES_19.names[class_id]] if one["instID"] >= 1000]
        expected = sorted(of_class[of_class > 0].unique(return_counts=True)[1].tolist())
        assert sorted(one["pixelCount"] for one in objects) == expected


class TestCityscapesLabels(ReaderContract):
    @pytest.fixture
    def labels(self, tmp_path):
        draw_tree(tmp_path, KEY)
        return CityscapesLabels(tmp_path, "val", CITYSCAPES_19)
