import numpy as np
import pytest
import torch
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from relief.metrics.instance_precision import (
    coco_instance_precision,
    instance_overlaps,
    per_image_instance_precision,
)
from relief.ops.panoptic import segment_table


def random_pair(seed):
    random = np.random.default_rng(seed)
    target = np.zeros((40, 50, 2), np.int64)
    for number in range(1, 9):
        y, x = random.integers(0, 32, 2)
        target[y : y + random.integers(4, 14), x : x + random.integers(4, 14)] = (
            random.integers(1, 3),
            number if number < 8 else 0,
        )
    target[target[..., 0] == 0] = (0, 0)
    pred = np.roll(target, random.integers(-1, 2, 2), axis=(0, 1))
    pred[random.integers(0, 20) :, :6] = (1, 99)
    return pred, target


def judge(pairs):
    """pycocotools with encoded masks."""
    images, objects, found = [], [], []
    for index, (pred, target) in enumerate(pairs):
        images.append({"id": index, "height": 40, "width": 50})
        for mask, crowd in masks(target, crowds=True):
            objects.append(entry(index, mask, len(objects) + 1, iscrowd=int(crowd)))
        for mask, _ in masks(pred, crowds=False):
            found.append(entry(index, mask, len(found) + 1, score=float(mask.sum())))
    truth, prediction = COCO(), COCO()
    for coco, annotations in ((truth, objects), (prediction, found)):
        coco.dataset = {"images": images, "categories": [{"id": 1}], "annotations": annotations}
        coco.createIndex()
    evaluation = COCOeval(truth, prediction, "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    recall = evaluation.eval["recall"][0, 0, 0, -1]
    return {"ap50": evaluation.stats[1], "ap75": evaluation.stats[2], "recall": recall}


def entry(image, mask, number, **values):
    code = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "id": number, "image_id": image, "category_id": 1, "segmentation": code,
        "area": int(mask.sum()), "iscrowd": 0, **values,
    }  # fmt: skip


def masks(pairs, crowds):
    for category, instance in np.unique(pairs.reshape(-1, 2), axis=0):
        if category > 0 and (instance > 0 or crowds):
            yield (pairs == (category, instance)).all(-1), instance == 0


def overlaps(pairs):
    return [
        instance_overlaps(
            segment_table(torch.from_numpy(p), torch.from_numpy(t)).numpy(), (1, 2), (1, 2)
        )
        for p, t in pairs
    ]


def test_equals_pycocotools_on_masks():
    pairs = [random_pair(seed) for seed in range(8)]
    found = coco_instance_precision(overlaps(pairs))
    expected = judge(pairs)
    assert 0.2 < expected["ap50"] < 1
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_per_image_by_hand():
    table = np.array(
        [[1, 1, 1, 1, 60], [1, 1, 0, 0, 10], [1, 2, 0, 0, 30], [2, 3, 2, 2, 20], [0, 0, 1, 3, 5]]
    )
    only_crowd = np.array([[1, 1, 1, 0, 9]])
    images = [instance_overlaps(t, (1, 2), (1, 2)) for t in (table, only_crowd)]
    found = per_image_instance_precision(images)
    # By area: a hit, a miss, a hit; three objects.
    assert found["ap50"] == pytest.approx((1 + 2 / 3) / 3)
    assert found["ap75"] == pytest.approx((1 + 2 / 3) / 3)
    assert found["recall"] == pytest.approx(2 / 3)


def test_nothing_found_and_nothing_there():
    nothing = instance_overlaps(np.array([[0, 0, 0, 0, 9]]), (1,), (1,))
    missed = instance_overlaps(np.array([[0, 0, 1, 1, 9]]), (1,), (1,))
    assert np.isnan(coco_instance_precision([nothing])["ap50"])
    assert coco_instance_precision([missed]) == {"ap50": 0.0, "ap75": 0.0, "recall": 0.0}
    assert per_image_instance_precision([missed, nothing])["recall"] == 0.0
