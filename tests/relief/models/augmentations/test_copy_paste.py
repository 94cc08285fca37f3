import pytest
import torch

from relief.models.augmentations.copy_paste import CopyPaste, labelled_objects, novel_objects
from relief.ops.objects.instance_targets import instance_targets
from relief.schema.training import (
    THING_REGION,
    Detections,
    DetectorClasses,
    SegmenterPrediction,
    TrainingMoment,
)
from tests.contracts.augmentation import AugmentationContract

CLASS_SHADE = {2: 0.4, 5: 0.7, 9: 1.0}
NEVER = TrainingMoment(step=0, predict=lambda image: pytest.fail("the network was asked"))


def batch():
    """Two images; an object's shade is its class, everything else is black."""
    instance = torch.zeros(2, 64, 128, dtype=torch.int64)
    instance[0, 4:24, 4:34] = 1
    instance[0, 40:44, 60:64] = 2  # too small to be pasted
    instance[1, 30:60, 60:100] = 1
    classes = [torch.tensor([2, 5]), torch.tensor([9])]
    image = torch.zeros(2, 3, 64, 128)
    for index in range(2):
        for number, thing_class in enumerate(classes[index].tolist(), start=1):
            image[index][:, instance[index] == number] = CLASS_SHADE[thing_class]
    semantic = torch.where(instance > 0, THING_REGION, 3)
    semantic[:, :2] = -1
    return {
        "image": image, "semantic": semantic, "instance": instance, "classes": classes,
        "key": ["a", "b"],
    }  # fmt: skip


def assert_consistent(pasted, told=None):
    """Every object shows the shade of its class and has the semantic class of its own."""
    for index in range(2):
        instance, classes = pasted["instance"][index], pasted["classes"][index]
        assert instance[instance > 0].unique().tolist() == list(range(1, len(classes) + 1))
        if told is None:
            assert (pasted["semantic"][index][instance > 0] == THING_REGION).all()
        targets = instance_targets(instance, classes)
        assert len(targets["masks"]) == len(classes)
        for mask, box, thing_class in zip(*list(targets.values()), strict=True):
            if told is not None:
                own = told.region_of_thing()[thing_class]
                assert (pasted["semantic"][index][mask] == own).all()
            shade = torch.tensor(CLASS_SHADE[int(thing_class)])
            inner = pasted["image"][index, 0][mask]
            assert inner.median() == pytest.approx(shade.item(), abs=0.02)
            rows, columns = torch.nonzero(mask, as_tuple=True)
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == [int(side) for side in expected]


def test_things_told_apart_keep_their_region():
    told = DetectorClasses(things=tuple(range(10, 20)), stuff=(0, 1, 2, 3), apart=True)
    given = batch()
    for index, classes in enumerate(given["classes"]):
        for number, thing_class in enumerate(classes.tolist(), start=1):
            region = told.region_of_thing()[thing_class]
            given["semantic"][index][given["instance"][index] == number] = region
    moment = TrainingMoment(step=0, predict=NEVER.predict, classes=told)
    for seed in range(5):
        torch.manual_seed(seed)
        assert_consistent(CopyPaste(min_side_px=8, start_up_steps=1)(given, moment), told)


def test_every_object_has_the_class_of_its_pixels():
    paste = CopyPaste(min_side_px=8, start_up_steps=1)
    pasted_classes = set()
    for seed in range(10):
        torch.manual_seed(seed)
        given = batch()
        pasted = paste(given, NEVER)
        assert_consistent(pasted)
        pasted_classes |= {int(c) for c in pasted["classes"][0]}
        fresh = batch()
        assert all(torch.equal(given[k], fresh[k]) for k in ("image", "semantic", "instance"))
    assert pasted_classes == {2, 5, 9}  # from the other image too


def test_small_objects_are_not_pasted():
    objects = labelled_objects(batch(), min_side_px=8)
    assert [(o.thing_class, tuple(o.mask.shape)) for o in objects] == [(2, (20, 30)), (9, (30, 40))]


def test_covered_objects_are_cut_and_dropped():
    given = batch()
    paste = CopyPaste(max_objects=1, scale=(6.0, 6.0), min_side_px=25, start_up_steps=1)
    torch.manual_seed(1)
    pasted = paste(given, NEVER)  # six times larger than the image: it covers all of it
    assert [c.tolist() for c in pasted["classes"]] == [[9], [9]]
    assert (pasted["instance"] == 1).all()
    assert_consistent(pasted)


def test_nothing_to_paste_leaves_the_batch():
    given = batch()
    assert CopyPaste(min_side_px=100)(given, NEVER) is given


def prediction(boxes, scores):
    masks = torch.zeros(len(boxes), 64, 128, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    found = Detections(
        masks=masks,
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        classes=torch.full((len(boxes),), 5),
        scores=torch.tensor(scores),
    )
    nothing = Detections(
        masks=masks[:0], boxes=found["boxes"][:0], classes=found["classes"][:0],
        scores=found["scores"][:0],
    )  # fmt: skip
    return SegmenterPrediction(semantic_logits=torch.zeros(0), detections=[found, nothing])


def test_only_confident_and_new_detections_are_taken():
    found = prediction(
        [[4, 4, 34, 24], [60, 0, 90, 30], [60, 30, 90, 60], [100, 0, 106, 6]],
        [0.9, 0.8, 0.7, 0.9],
    )  # labelled, new, unsure, small
    objects = novel_objects(batch(), found, 8, score_threshold=0.75, novelty_iou=0.5)
    assert len(objects) == 1
    assert (objects[0].thing_class, tuple(objects[0].mask.shape)) == (5, (30, 30))


def test_after_the_start_up_the_network_gives_the_objects():
    given, asked = batch(), []
    given["image"][0, :, 0:30, 60:90] = CLASS_SHADE[5]

    def predict(image):
        asked.append(image)
        return prediction([[60, 0, 90, 30]], [0.9])

    paste = CopyPaste(min_side_px=8, start_up_steps=10)
    torch.manual_seed(0)
    pasted = paste(given, TrainingMoment(step=10, predict=predict))
    assert len(asked) == 1
    assert torch.equal(asked[0], given["image"])
    assert 5 in pasted["classes"][1].tolist()
    for image, instance, classes in zip(
        pasted["image"], pasted["instance"], pasted["classes"], strict=True
    ):
        for number, thing_class in enumerate(classes.tolist(), start=1):
            shade = image[0][instance == number].median().item()
            assert shade == pytest.approx(CLASS_SHADE[thing_class], abs=0.02)


def test_without_an_end_of_the_start_up_the_network_is_never_asked():
    paste = CopyPaste(min_side_px=8, start_up_steps=None)
    torch.manual_seed(0)
    late = paste(batch(), TrainingMoment(step=10**6, predict=NEVER.predict))
    torch.manual_seed(0)
    assert torch.equal(late["image"], CopyPaste(min_side_px=8)(batch(), NEVER)["image"])
    assert not torch.equal(late["image"], batch()["image"])


def test_the_same_random_numbers_paste_the_same():
    paste = CopyPaste(min_side_px=8)
    results = []
    for _ in range(2):
        torch.manual_seed(4)
        results.append(paste(batch(), NEVER))
    assert torch.equal(results[0]["image"], results[1]["image"])
    assert torch.equal(results[0]["instance"], results[1]["instance"])


class TestCopyPaste(AugmentationContract):
    def augmentation(self):
        return CopyPaste(min_side_px=8, start_up_steps=None)
