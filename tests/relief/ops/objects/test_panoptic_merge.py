import pytest
import torch
from detectron2.modeling.meta_arch.panoptic_fpn import combine_semantic_and_instance_outputs
from detectron2.structures import Instances

from relief.ops.objects.panoptic_merge import MergeLimits, instance_scores, merge_panoptic
from relief.schema.training import Detections, DetectorClasses

CLASSES = DetectorClasses(things=(30, 10), stuff=(5, 20))

ALL = MergeLimits(stuff_area_px=0)


def detections(masks, classes, scores):
    masks = torch.stack(masks) if masks else torch.zeros(0, 4, 8, dtype=torch.bool)
    return Detections(
        masks=masks,
        boxes=torch.zeros(len(masks), 4),
        classes=torch.tensor(classes, dtype=torch.int64),
        scores=torch.tensor(scores, dtype=torch.float32),
    )


def block(rows, columns, size=(4, 8)):
    mask = torch.zeros(size, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def test_the_higher_score_is_painted_first_and_stuff_fills_the_rest():
    semantic = torch.ones(4, 8, dtype=torch.int64)
    semantic[3] = 0
    left, right = block(slice(0, 2), slice(0, 4)), block(slice(0, 2), slice(3, 8))
    merged = merge_panoptic(semantic, detections([left, right], [0, 1], [0.6, 0.9]), CLASSES, ALL)
    assert merged[..., 0].tolist() == [[30] * 3 + [10] * 5] * 2 + [[5] * 8, [-1] * 8]
    assert merged[..., 1].tolist() == [[2] * 3 + [1] * 5] * 2 + [[0] * 8] * 2


def test_things_told_apart_leave_no_hole_where_no_object_was_found():
    classes = DetectorClasses(CLASSES.things, CLASSES.stuff, apart=True)
    semantic = torch.tensor([[1, 2, 3, 4], [0, 3, 3, 4]])
    found = block(slice(0, 1), slice(2, 4), (2, 4))[None]
    one = {**detections([], [], []), "masks": found, "classes": torch.tensor([1]),
           "scores": torch.tensor([0.9])}  # fmt: skip
    merged = merge_panoptic(semantic, one, classes, ALL)
    assert merged[..., 0].tolist() == [[5, 20, 10, 10], [-1, 30, 30, 10]]
    assert merged[..., 1].tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]


def test_low_scores_and_covered_objects_are_left_out():
    semantic = torch.full((4, 8), 2)
    big, inside = block(slice(0, 3), slice(0, 6)), block(slice(0, 2), slice(0, 7))
    faint = block(slice(3, 4), slice(0, 8))
    merged = merge_panoptic(
        semantic, detections([big, inside, faint], [0, 0, 1], [0.9, 0.8, 0.49]), CLASSES,
        ALL,
    )  # fmt: skip
    assert merged[..., 1].unique().tolist() == [0, 1]
    assert merged[3, :, 0].tolist() == [20] * 8


def test_the_area_limit_of_stuff_follows_the_image():
    semantic = torch.ones(64, 128, dtype=torch.int64)  # 16 x 16 times smaller than 1024 x 2048
    semantic[:2, :8] = 2  # 16 px here are 4096 px there
    none = detections([], [], [])
    none["masks"] = torch.zeros(0, 64, 128, dtype=torch.bool)
    assert (merge_panoptic(semantic, none, CLASSES)[:2, :8, 0] == 20).all()
    semantic[0, 0] = 1
    merged = merge_panoptic(semantic, none, CLASSES)
    assert (merged[..., 0] == -1).sum() == 15
    assert (merged[..., 0] == 5).sum() == 64 * 128 - 15


def test_equals_the_combination_of_detectron2():
    generator = torch.Generator().manual_seed(3)
    size = (64, 128)
    for _ in range(8):
        semantic = torch.randint(0, 3, (8, 16), generator=generator)
        semantic = semantic.repeat_interleave(8, 0).repeat_interleave(8, 1)
        masks = []
        for _ in range(12):
            row, column, high, wide = torch.randint(0, 48, (4,), generator=generator).tolist()
            masks.append(block(slice(row, row + high), slice(column * 2, column * 2 + wide), size))
        scores = torch.rand(12, generator=generator)
        classes = torch.randint(0, 2, (12,), generator=generator)
        found = Instances(size, scores=scores, pred_classes=classes, pred_masks=torch.stack(masks))
        segments, info = combine_semantic_and_instance_outputs(found, semantic, 0.5, 500, 0.5)
        expected = torch.full(size, -1)
        for segment in info:
            ids = CLASSES.things if segment["isthing"] else (None, *CLASSES.stuff)
            expected[segments == segment["id"]] = ids[segment["category_id"]]
        merged = merge_panoptic(
            semantic, detections(masks, classes.tolist(), scores.tolist()), CLASSES,
            MergeLimits(stuff_area_px=500 * (1024 * 2048) / (64 * 128)),
        )  # fmt: skip
        assert torch.equal(merged[..., 0], expected)
        things = [s for s in info if s["isthing"]]
        for number, segment in enumerate(things, start=1):
            assert torch.equal(merged[..., 1] == number, segments == segment["id"])


def test_an_object_is_as_sure_as_the_detection_it_is_of():
    instance = torch.tensor([[1, 1, 2, 0]])
    masks = torch.tensor([[[True, True, True, False]], [[False, False, True, False]]])
    detections = {
        "masks": masks, "boxes": torch.zeros(2, 4), "classes": torch.zeros(2).long(),
        "scores": torch.tensor([0.9, 0.4]),
    }  # fmt: skip
    assert instance_scores(instance, detections).tolist() == pytest.approx([0.9, 0.4])
    assert instance_scores(torch.zeros_like(instance), detections).tolist() == []
    nothing = {name: values[:0] for name, values in detections.items()}
    assert instance_scores(instance, nothing).tolist() == [0, 0]
    far = {**detections, "masks": torch.zeros_like(masks)}
    assert instance_scores(instance, far).tolist() == [0, 0]
