from dataclasses import replace

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from torchvision.datasets import CocoDetection

from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.cups import CupsLabels
from relief.formats.exports.cityscapes_ids import CityscapesIdsExport
from relief.formats.exports.coco import CocoInstancesExport, CocoPanopticExport
from relief.formats.exports.cups_files import CupsExport
from relief.ops.objects.instance_masks import decoded
from relief.schema.errors import ReadError, UsageError
from tests.relief.formats.exports.drawn import (
    KEYS,
    SCORES,
    SIZE,
    SUPERVISION,
    draw_labels,
    panoptic_of,
)


def test_regions_are_stuff_then_objects_with_scores(tmp_path):
    exported = draw_labels(tmp_path)
    images = list(exported.images("x", stuff=True))
    assert [(image.key, image.file_name) for image in images] == [
        ("a/one", "a/one.jpg"),
        ("two", "two.png"),
    ]
    regions = images[0].regions
    assert regions.category.tolist() == [0, 3, 1, 2]
    assert regions.crowd.tolist() == [True, True, False, False]
    assert regions.scores[2:] == pytest.approx(list(SCORES.values()), abs=0.002)
    painted = np.full((*regions.size, 2), (-1, 0))
    for i, mask in enumerate(regions.masks):
        painted[decoded(mask)] = (regions.category[i], 0 if regions.crowd[i] else i - 1)
    expected = panoptic_of(KEYS[0])
    expected[(expected == torch.tensor((1, 0))).all(-1)] = torch.tensor((-1, 0))
    assert np.array_equal(painted, expected.numpy())
    things = next(exported.images("x", stuff=False)).regions
    assert things.category.tolist() == [1, 2]


def test_a_photograph_that_is_not_there_is_one_line(tmp_path):
    exported = draw_labels(tmp_path)
    (tmp_path / "photographs" / "two.png").unlink()
    with pytest.raises(ReadError, match=r"cannot read photograph: .*two.png .*--photographs\.$"):
        exported.copy_photograph("two", tmp_path / "copy.png")
    replace(exported, photographs=None).copy_photograph("two", tmp_path / "copy.png")
    assert not (tmp_path / "copy.png").exists()


@pytest.mark.parametrize("polygons", [False, True])
def test_coco_instances_open_in_pycocotools(tmp_path, polygons):
    exported = draw_labels(tmp_path)
    CocoInstancesExport(polygons, tolerance_px=0).write(tmp_path, exported)
    coco = COCO(str(tmp_path / "instances.json"))
    assert [image["file_name"] for image in coco.dataset["images"]] == ["a/one.jpg", "two.png"]
    assert coco.dataset["info"] == {"supervision": list(SUPERVISION)}
    for i, (pair, score) in enumerate(SCORES.items(), start=1):
        entry = coco.anns[i]
        assert isinstance(entry["segmentation"], list) == polygons
        assert entry["score"] == pytest.approx(score, abs=0.002)
        expected = (panoptic_of(KEYS[0]) == torch.tensor(pair)).all(-1).numpy()
        assert np.array_equal(coco.annToMask(entry), expected)


def test_coco_instances_are_a_data_set_of_torchvision(tmp_path):
    exported = draw_labels(tmp_path)
    CocoInstancesExport().write(tmp_path, exported)
    data = CocoDetection(str(tmp_path / "photographs"), str(tmp_path / "instances.json"))
    for (image, objects), key in zip(data, KEYS, strict=True):
        assert image.size == SIZE[::-1]
        masks = [data.coco.annToMask(one).astype(bool) for one in objects]
        expected = [(panoptic_of(key) == torch.tensor(pair)).all(-1).numpy() for pair in SCORES]
        assert np.array_equal(masks, expected)


def test_formats_of_pixels_read_back_equal(tmp_path):
    exported = draw_labels(tmp_path)
    CocoPanopticExport().write(tmp_path / "coco", exported)
    CupsExport().write(tmp_path / "cups", exported)
    cups, coco = CupsLabels(tmp_path / "cups"), CocoPanoptic(tmp_path / "coco" / "panoptic.json")
    for key in KEYS:
        expected = exported.labels.panoptic(key)
        assert torch.equal(cups.panoptic(key), expected)
        is_segment = ~(expected == torch.tensor((1, 0))).all(-1)
        assert torch.equal(coco.panoptic(key)[is_segment][:, 0], expected[is_segment][:, 0])
    with pytest.raises(UsageError, match="clusters are not Cityscapes ids"):
        CityscapesIdsExport().write(tmp_path / "x", exported)
