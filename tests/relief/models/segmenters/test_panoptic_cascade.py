from pathlib import Path

import detectron2
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Instances
from detectron2.utils.events import EventStorage

from relief.models.segmenters.cascade.heads import SoftMasks
from relief.models.segmenters.panoptic_cascade import PanopticCascade
from relief.models.segmenters.resnet_pyramid import ResNetPyramid, SmallResNetPyramid
from tests.contracts import network as contract

PUBLISHED = Path(detectron2.__file__).parent / "model_zoo/configs/COCO-PanopticSegmentation"
NUM_THINGS, NUM_STUFF = 4, 6


def batch(height=64, width=128, empty=()):
    """Three images with blocks as objects; those in `empty` have none."""
    generator = torch.Generator().manual_seed(5)
    instance = torch.zeros(3, height, width, dtype=torch.int64)
    instance[:, 8:40, 10:50] = 1
    instance[:, 20:60, 70:110] = 2
    instance[1, 30:50, 40:90] = 3
    classes = [torch.tensor([0, 3]), torch.tensor([1, 2, 1]), torch.tensor([2, 2])]
    for index in empty:
        instance[index], classes[index] = 0, torch.zeros(0, dtype=torch.int64)
    semantic = torch.randint(-1, NUM_STUFF + 1, (3, height, width), generator=generator)
    image = torch.rand(3, 3, height, width, generator=generator)
    return {
        "image": image,
        "semantic": torch.where(instance > 0, 0, semantic),
        "instance": instance,
        "classes": classes,
        "key": ["a", "b", "c"],
    }


def small(num_things=NUM_THINGS, num_stuff=NUM_STUFF, **options):
    torch.manual_seed(0)
    backbone = SmallResNetPyramid(widths=(32, 64, 96, 128), width=32)
    numbers = {
        "anchor_sizes_px": (8, 16, 32, 64, 96), "anchors_kept": (200, 100),
        "proposals_kept": (100, 50), "regions_per_image": 32, "box_width": 32, "mask_layers": 1,
        "mask_width": 16, "semantic_width": 32, "roi_sampling_ratio": 1,
    }  # fmt: skip
    return PanopticCascade(num_things, num_stuff, backbone=backbone, **numbers | options)


class TestPanopticCascade(contract.NetworkContract):
    def network(self):
        return small(contract.NUM_THINGS, contract.NUM_REGIONS, score_threshold=0.0)


def published_detector():
    """detectron2's own modules, from its published YAML and the numbers of the recipe."""
    config = get_cfg()
    config.merge_from_file(str(PUBLISHED / "panoptic_fpn_R_50_1x.yaml"))
    model = config.MODEL
    model.DEVICE, model.WEIGHTS = "cpu", ""
    model.BACKBONE.FREEZE_AT = 0
    model.RESNETS.STRIDE_IN_1X1 = False
    model.RESNETS.NORM = model.FPN.NORM = "BN"
    model.PIXEL_MEAN, model.PIXEL_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    model.ANCHOR_GENERATOR.SIZES = [[32], [64], [128], [256], [512]]
    model.RPN.NMS_THRESH = 0.65
    model.RPN.POST_NMS_TOPK_TRAIN = 4000
    model.ROI_HEADS.NAME = "CascadeROIHeads"
    model.ROI_HEADS.NUM_CLASSES = NUM_THINGS
    model.ROI_HEADS.SCORE_THRESH_TEST = 0.5
    model.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = True
    model.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK = False
    model.SEM_SEG_HEAD.NUM_CLASSES = NUM_STUFF + 1
    model.SEM_SEG_HEAD.IGNORE_VALUE = 255
    return build_model(config).train()


def detectron2_inputs(samples):
    inputs = []
    for index, image in enumerate(samples["image"]):
        instance = samples["instance"][index]
        masks = BitMasks(torch.stack([instance == n for n in instance.unique() if n > 0]))
        instances = Instances(tuple(image.shape[1:]))
        instances.gt_masks, instances.gt_boxes = masks, masks.get_bounding_boxes()
        instances.gt_classes = samples["classes"][index]
        semantic = samples["semantic"][index]
        semantic = torch.where(semantic < 0, 255, semantic)
        inputs.append({"image": image, "sem_seg": semantic, "instances": instances})
    return inputs


@pytest.mark.slow
def test_losses_equal_those_of_detectron2():
    judge, samples = published_detector(), batch()
    network = PanopticCascade(
        NUM_THINGS, NUM_STUFF, backbone=ResNetPyramid(), drop_loss_iou=None
    ).train()
    network.detector.load_state_dict(judge.state_dict())
    torch.manual_seed(1)
    with EventStorage():
        expected = judge(detectron2_inputs(samples))
    torch.manual_seed(1)
    losses = network(samples)
    assert losses.keys() == expected.keys()
    assert len(losses) == 10
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-6, atol=1e-7)
    assert expected["loss_mask"].item() > 0.1  # the comparison is not one of zeros


def test_drop_loss_that_drops_nothing_is_the_plain_loss():
    samples = batch()
    torch.manual_seed(1)
    plain = small(drop_loss_iou=None)(samples)
    torch.manual_seed(1)
    undropped = small(drop_loss_iou=-1.0)(samples)
    torch.manual_seed(0)
    for name, value in plain.items():
        torch.testing.assert_close(undropped[name], value)


@pytest.mark.parametrize("empty", [(), (1,)])
def test_drop_loss_lowers_the_classification_alone(empty):
    """One image without objects does not switch it off for the others."""
    samples = batch(empty=empty)
    losses = {}
    for iou in (None, 0.4):
        network = small(drop_loss_iou=iou)
        torch.manual_seed(1)
        losses[iou] = network(samples)
    for name, value in losses[None].items():
        if name == "loss_cls_stage0":
            assert 0 < losses[0.4][name] < 0.9 * value
        elif name.startswith("loss_cls"):
            assert 0 < losses[0.4][name] < value
        else:
            torch.testing.assert_close(losses[0.4][name], value)


def test_a_batch_without_objects_trains():
    losses = small()(batch(empty=(0, 1, 2)))
    assert all(float(losses[f"loss_cls_stage{stage}"]) == 0 for stage in range(3))
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total)


def test_mixed_precision_trains_and_predicts():
    network = small(score_threshold=0.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = network(batch())
        prediction = network.predict(batch()["image"])
    sum(losses.values()).backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert prediction["semantic_logits"].dtype == torch.float32
    assert len(prediction["detections"][0]["scores"]) > 0


def test_prediction_has_the_size_of_the_image_and_keeps_the_mode():
    network = small(score_threshold=0.0)
    prediction = network.predict(torch.rand(2, 3, 70, 100))
    assert network.training
    assert prediction["semantic_logits"].shape == (2, NUM_STUFF + 1, 70, 100)
    for found in prediction["detections"]:
        number = len(found["scores"])
        assert 0 < number <= 100
        assert found["masks"].shape == (number, 70, 100)
        assert found["masks"].dtype == torch.bool
        assert found["boxes"].shape == (number, 4)
        assert (found["scores"].diff() <= 0).all()
        assert found["classes"].max() < NUM_THINGS


@pytest.mark.parametrize("training", [True, False])
def test_the_prediction_is_made_of_steps_that_keep_the_mode(training):
    network = small(score_threshold=0.0).train(training)
    image = torch.rand(2, 3, 70, 100)
    expected = network.predict(image)
    features = network.encode(image)
    found = network.boxes(features)
    masks = network.mask_probabilities(
        features, [one["boxes"] for one in found], [one["classes"] for one in found]
    )
    assert network.training == training
    assert torch.equal(network.semantic_logits(features), expected["semantic_logits"])
    for one, its_masks, objects in zip(found, masks, expected["detections"], strict=True):
        for name in ("boxes", "classes", "scores"):
            assert torch.equal(one[name], objects[name])
        assert its_masks.shape == (len(one["scores"]), 28, 28)
        assert not its_masks.requires_grad
        assert 0 <= its_masks.min() < its_masks.max() <= 1


def test_masks_are_those_of_the_boxes_and_classes_asked_for():
    network = small().eval()
    features = network.encode(torch.rand(2, 3, 64, 96))
    box = torch.tensor([[8.0, 8.0, 40.0, 40.0]])
    here, there = (torch.tensor([n]) for n in (0, 3))
    nothing, none = box[:0], here[:0]
    first, second = network.mask_probabilities(features, [box, nothing], [here, none])
    assert first.shape == (1, 28, 28)
    assert second.shape == (0, 28, 28)
    (both, _) = network.mask_probabilities(
        features, [box.repeat(2, 1), nothing], [torch.cat((there, here)), none]
    )
    torch.testing.assert_close(both[1], first[0])
    assert not torch.equal(both[0], first[0])


def test_the_sample_network_has_about_four_million_parameters():
    network = PanopticCascade(
        20, 30, backbone=SmallResNetPyramid(), anchor_sizes_px=(12, 24, 48, 96, 160),
        regions_per_image=96, box_width=256, mask_layers=2, mask_width=64, semantic_width=64,
    )  # fmt: skip
    assert 3.5e6 < sum(p.numel() for p in network.parameters()) < 4.5e6


def without_classes(**options):
    return small(1, 0, drop_loss_iou=None, **options)


def objects_alone(confidence=None):
    given = batch()
    given["classes"] = [torch.zeros_like(one) for one in given["classes"]]
    return given if confidence is None else {**given, "confidence": confidence}


def test_without_stuff_there_is_no_semantic_head():
    network = without_classes(score_threshold=0.0)
    assert not any("sem_seg" in name for name, _ in network.named_parameters())
    torch.manual_seed(0)
    losses = network.train()(objects_alone())
    assert "loss_sem_seg" not in losses
    assert all(torch.isfinite(value) for value in losses.values())
    found = network.predict(objects_alone()["image"], (20, 40))
    assert found["semantic_logits"].shape == (3, 1, 20, 40)
    assert not found["semantic_logits"].any()
    assert len(found["detections"]) == 3


def test_sure_labels_lose_what_detectron2_says_and_unsure_ones_less():
    def mask_loss(confidence, soft_masks):
        network = without_classes(soft_masks=soft_masks).train()
        torch.manual_seed(0)
        return float(network(objects_alone(confidence))["loss_mask"])

    sure, unsure = torch.ones(3, 64, 128), torch.full((3, 64, 128), 0.6)
    plain = mask_loss(None, None)
    assert mask_loss(sure, SoftMasks()) == pytest.approx(plain, rel=1e-5)
    assert mask_loss(None, SoftMasks()) == pytest.approx(plain, rel=1e-5)
    assert mask_loss(unsure, SoftMasks()) < plain
    assert mask_loss(unsure, SoftMasks(floor=0.6, outside=0.6)) == pytest.approx(
        0.6 * plain, rel=1e-4
    )
