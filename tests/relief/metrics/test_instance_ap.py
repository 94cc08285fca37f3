import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from relief.metrics.instance_ap import InstanceAveragePrecision
from relief.ops.objects.instance_masks import boxes_of, run_lengths
from relief.schema.instances import ImageInstances

SIZE = (120, 150)
NAMES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def instances(rectangles, category, scores=None, crowd=None):
    """Rectangles (y, x, height, width), which may overlap."""
    masks = []
    for y, x, height, width in rectangles:
        pixels = np.zeros(SIZE, int)
        pixels[y : y + height, x : x + width] = 1
        masks += run_lengths(pixels, 1)
    boxes = boxes_of(masks)
    count = len(masks)
    return ImageInstances(
        SIZE,
        np.array(category, np.int64).reshape(count),
        boxes,
        np.array([height * width for *_, height, width in rectangles], float).reshape(count),
        np.ones(count) if scores is None else np.asarray(scores, float),
        np.zeros(count, bool) if crowd is None else np.asarray(crowd),
        masks,
    )


def drawn(seed):
    """Objects of two classes, and instances near most of them with scores that say little."""
    random = np.random.default_rng(seed)
    sides = random.integers((4, 4), (110, 110), (9, 2)) // random.choice([1, 3, 6], (9, 1)) + 3
    corners = random.integers(0, np.maximum(np.array(SIZE) - sides, 1))
    true = np.concatenate((corners, sides), axis=1)
    category = random.integers(1, 3, 9)
    crowd = np.arange(9) == 8
    others = random.integers((0, 0, 4, 4), 44, (6, 4))
    moved = np.concatenate((true[:7], true[:5], others))
    moved[:12, :2] = np.maximum(moved[:12, :2] + random.integers(-4, 5, (12, 2)), 0)
    moved[:, 2:] = np.minimum(moved[:, 2:], np.array(SIZE) - moved[:, :2])
    confused = random.random(18) < 0.2
    predicted = (
        np.concatenate((category[:7], category[:5], np.ones(6, int))) - 1 + confused
    ) % 2 + 1
    scores = random.random(18)
    return instances(moved, predicted, scores), instances(true, category, None, crowd)


def judge(pairs, kind, *, by_class):
    """The twelve figures of pycocotools itself."""
    images, objects, found = [], [], []
    for index, (predicted, true) in enumerate(pairs):
        images.append({"id": index, "height": SIZE[0], "width": SIZE[1]})
        for entries, side in ((found, predicted), (objects, true)):
            for i in range(len(side)):
                box = side.boxes[i].tolist()
                own = side is predicted and kind == "bbox"
                entries.append(
                    {
                        "id": len(entries) + 1,
                        "image_id": index,
                        "category_id": int(side.category[i]) if by_class else 1,
                        "segmentation": side.masks[i],
                        "bbox": box,
                        "area": box[2] * box[3] if own else float(side.area_px[i]),
                        "iscrowd": int(side.crowd[i]),
                        "score": float(side.scores[i]),
                    }
                )
    truth, prediction = COCO(), COCO()
    for coco, annotations in ((truth, objects), (prediction, found)):
        categories = [{"id": 1}, {"id": 2}] if by_class else [{"id": 1}]
        coco.dataset = {"images": images, "categories": categories, "annotations": annotations}
        coco.createIndex()
    evaluation = COCOeval(truth, prediction, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats.tolist(), strict=True))


@pytest.mark.parametrize("by_class", [False, True])
def test_equals_pycocotools_on_boxes_and_masks(by_class):
    pairs = [drawn(seed) for seed in range(6)]
    metric = InstanceAveragePrecision(class_ids=(1, 2))
    for i, pair in enumerate(pairs):
        metric.update(*([one] for one in pair), key=[f"{i}"])
    figures = metric.compute()
    assert figures["images"] == 6
    for kind, name in (("bbox", "boxes"), ("segm", "masks")):
        name = f"{name}_by_class" if by_class else name
        expected = judge(pairs, kind, by_class=by_class)
        assert 0.1 < expected["ap50"] < 0.95
        for figure, value in expected.items():
            assert figures[f"{name}/{figure}"].item() == pytest.approx(value), (name, figure)
    if by_class:
        per_class = figures["masks_by_class/per_class"]
        assert per_class.shape == (2, 3)
        assert per_class[:, 0].mean() == pytest.approx(figures["masks_by_class/ap"].item())


def test_an_image_counts_once_and_order_changes_nothing():
    once, twice = InstanceAveragePrecision(), InstanceAveragePrecision()
    for i in range(3):
        once.update(*([one] for one in drawn(i)), key=[f"{i}"])
    for i in (2, 0, 1, 0):
        twice.update(*([one] for one in drawn(i)), key=[f"{i}"])
    expected, figures = once.compute(), twice.compute()
    assert all(torch.equal(figures[k].nan_to_num(), expected[k].nan_to_num()) for k in expected)


def test_states_of_several_processes_are_put_together(tmp_path):
    whole, parts = InstanceAveragePrecision(), [InstanceAveragePrecision() for _ in range(2)]
    for i in range(4):
        for metric in (whole, parts[i % 2]):
            metric.update(*([one] for one in drawn(i)), key=[f"{i}"])
    parts[1].save(tmp_path / "rows.npz")
    parts[0].load(tmp_path / "rows.npz")
    assert parts[0].compute()["masks/ap"] == whole.compute()["masks/ap"]


def test_images_without_instances_or_objects():
    nothing, (predicted, true) = instances([], []), drawn(0)
    metric = InstanceAveragePrecision()
    metric.update([nothing, predicted], [nothing, nothing])
    figures = metric.compute()
    assert figures["images"] == 2
    assert figures["boxes/ap"].isnan()
    metric.update([nothing], [true])
    assert metric.compute()["boxes/ap"] == 0


def test_boxes_alone_are_enough_for_boxes():
    predicted, true = drawn(0)
    boxes = [
        ImageInstances(one.size, one.category, one.boxes, one.area_px, one.scores, one.crowd, None)
        for one in (predicted, true)
    ]
    metric = InstanceAveragePrecision(kinds=("boxes",))
    metric.update(*([one] for one in boxes))
    both = InstanceAveragePrecision()
    both.update([predicted], [true])
    assert metric.compute()["boxes/ap"] == both.compute()["boxes/ap"]
    with pytest.raises(ValueError, match=r"^Expected masks of both sides"):
        both.update(*([one] for one in boxes))


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match=r"^Expected `kinds`"):
        InstanceAveragePrecision(kinds=("polygons",))
    small = ImageInstances((2, 2), *(np.zeros(0),) * 5, [])
    with pytest.raises(ValueError, match=r"^Expected `preds` of the size"):
        InstanceAveragePrecision().update([small], [instances([], [])])
