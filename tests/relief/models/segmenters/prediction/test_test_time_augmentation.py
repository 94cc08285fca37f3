import copy
from functools import partial

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import GeneralizedRCNNWithTTA
from detectron2.modeling.meta_arch.rcnn import GeneralizedRCNN
from scipy import ndimage

from relief.models.segmenters.cascade.heads import quiet_detectron2
from relief.models.segmenters.panoptic_cascade import PanopticCascade
from relief.models.segmenters.prediction.test_time_augmentation import TestTimeAugmentation as Views
from relief.models.segmenters.resnet_pyramid import SmallResNetPyramid
from relief.ops.resize import resize_image

GRAY = (128 / 255, 128 / 255, 128 / 255)  # whole levels: resized images have no others
RED, GREEN, SKY = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
PALETTE = torch.tensor((RED, GREEN, GRAY, SKY))
SINGLE = Views(scales=(1.0,), flip=False)


class ColourBlocks:
    """Sees colours: each pixel by itself, objects as connected blocks of red or of green.

    Mirroring the image mirrors all that it says, to the last bit.
    """

    training = False

    def encode(self, image):
        return image

    def semantic_logits(self, features):
        far = [(features - colour.view(3, 1, 1)).square() for colour in PALETTE]
        return -8 * torch.stack([one[:, 0] + one[:, 1] + one[:, 2] for one in far], dim=1)

    def boxes(self, features):
        found = []
        for painted in self.semantic_logits(features).argmax(dim=1):
            boxes, classes = [], []
            for thing in (0, 1):
                blocks, _ = ndimage.label((painted == thing).numpy())
                for rows, columns in ndimage.find_objects(blocks):
                    boxes.append((columns.start, rows.start, columns.stop, rows.stop))
                    classes.append(thing)
            order = sorted(range(len(boxes)), key=lambda n: (classes[n], boxes[n]))
            boxes = torch.tensor([boxes[n] for n in order], dtype=torch.float32).view(-1, 4)
            classes = torch.tensor([classes[n] for n in order], dtype=torch.int64)
            found.append({"boxes": boxes, "classes": classes, "scores": 0.95 - 0.1 * classes})
        return found

    def mask_probabilities(self, features, boxes, classes):
        painted = self.semantic_logits(features).argmax(dim=1)
        cells = (torch.arange(28) + 0.5) / 28
        masks = []
        for image, its_boxes, its_classes in zip(painted, boxes, classes, strict=True):
            seen = torch.zeros(len(its_boxes), 28, 28)
            for mask, box, thing in zip(seen, its_boxes, its_classes, strict=True):
                rows = (box[1] + cells * (box[3] - box[1])).floor().long()
                columns = (box[0] + cells * (box[2] - box[0])).floor().long()
                mask[:] = (image[rows][:, columns] == thing).float()
            masks.append(seen)
        return masks


def street(height=84, width=140):
    """Sky above gray, a red block, a green corner piece that is not its own mirror image."""
    image = torch.empty(3, height, width)
    image[:] = torch.tensor(SKY).view(3, 1, 1)
    image[:, 40:] = torch.tensor(GRAY).view(3, 1, 1)
    image[:, 28:56, 8:36] = torch.tensor(RED).view(3, 1, 1)
    image[:, 28:56, 68:96] = torch.tensor(GREEN).view(3, 1, 1)
    image[:, 28:44, 80:96] = torch.tensor(SKY).view(3, 1, 1)
    return image[None]


def assert_same(found, expected):
    assert torch.equal(found["semantic_logits"], expected["semantic_logits"])
    for one, other in zip(found["detections"], expected["detections"], strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("views_per_batch", [1, 2])
@pytest.mark.parametrize("size", [None, (42, 70), (100, 111)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_mirror_images_change_nothing_for_a_network_that_is_equivariant(
    scale, size, views_per_batch
):
    image = torch.cat((street(), street().flip(-2)))
    one = Views(scales=(scale,), flip=False)(ColourBlocks(), image, size)
    both = Views(scales=(scale,), views_per_batch=views_per_batch)(ColourBlocks(), image, size)
    assert [len(found["scores"]) for found in one["detections"]] == [2, 2]
    assert_same(both, one)


def test_mirrored_images_give_mirrored_predictions():
    expected = Views()(ColourBlocks(), street())
    found = Views()(ColourBlocks(), street().flip(-1))
    torch.testing.assert_close(
        found["semantic_logits"].flip(-1), expected["semantic_logits"], atol=1e-5, rtol=1e-5
    )
    assert torch.equal(found["detections"][0]["masks"].flip(-1), expected["detections"][0]["masks"])


def test_scales_find_the_same_objects_and_regions():
    """Blocks lie on multiples of 4 px, so that all three scales see the same boxes exactly.

    Colours blend over an edge at the smaller scales: within 4 px of one probabilities may differ,
    elsewhere to 1e-5; masks by at most 5 % of their union, most probable classes at 2 % of pixels.
    """
    one, all_views = SINGLE(ColourBlocks(), street()), Views()(ColourBlocks(), street())
    (single,), (merged,) = one["detections"], all_views["detections"]
    torch.testing.assert_close(merged["boxes"], single["boxes"], atol=1e-4, rtol=0)
    assert torch.equal(merged["classes"], single["classes"])
    assert torch.equal(merged["scores"], single["scores"])
    for mask, other in zip(merged["masks"], single["masks"], strict=True):
        assert (mask & other).sum() > 0.95 * (mask | other).sum()
    found, expected = (seen["semantic_logits"].softmax(dim=1) for seen in (all_views, one))
    assert (found.argmax(dim=1) == expected.argmax(dim=1)).float().mean() > 0.98
    classes = expected.argmax(dim=1)[0].numpy()
    window = (9, 9)
    inner = ndimage.maximum_filter(classes, window) == ndimage.minimum_filter(classes, window)
    assert inner.mean() > 0.5
    torch.testing.assert_close(found[0, :, inner], expected[0, :, inner], atol=1e-5, rtol=0)


class Scripted(ColourBlocks):
    """Says in every view what it is told to, by the number of the view."""

    def __init__(self, boxes, mask=(1.0,), logits=(0.0,)):
        self.told, self.mask, self.logits, self.sizes = boxes, mask, logits, []

    def encode(self, image):
        first = sum(number for number, _ in self.sizes)
        self.sizes.append((len(image), tuple(image.shape[-2:])))
        return list(range(first, first + len(image))), image.shape[-2:]

    def boxes(self, features):
        return [
            {
                "boxes": torch.tensor([box for box, _, _ in self.told[n]]).float().view(-1, 4),
                "classes": torch.tensor([c for _, c, _ in self.told[n]], dtype=torch.int64),
                "scores": torch.tensor([score for _, _, score in self.told[n]]),
            }
            for n in features[0]
        ]

    def mask_probabilities(self, features, boxes, classes):
        self.asked = boxes
        return [
            torch.full((len(own), 28, 28), self.mask[n % len(self.mask)])
            for n, own in zip(features[0], boxes, strict=True)
        ]

    def semantic_logits(self, features):
        numbers, size = features
        values = torch.tensor([self.logits[n % len(self.logits)] for n in numbers])
        second = values.view(-1, 1, 1, 1).expand(-1, 1, *size)
        return torch.cat((torch.zeros_like(second), second), dim=1)


IMAGE = torch.zeros(1, 3, 40, 80)


def test_boxes_are_merged_per_class():
    plain = [((10, 10, 30, 30), 0, 0.8), ((50, 0, 60, 10), 1, 0.75)]
    mirrored = [
        ((49, 10, 69, 30), 0, 0.9),  # 11..31 upright: the first one again, surer
        ((50, 10, 70, 30), 1, 0.85),  # the same place, another class
        ((0, 0, 10, 10), 1, 0.71),
        ((20, 20, 30, 30), 1, 0.69),  # too doubtful
    ]
    network = Scripted([plain, mirrored])
    (found,) = Views(scales=(1.0,))(network, IMAGE)["detections"]
    assert found["boxes"].tolist() == [
        [11, 10, 31, 30], [10, 10, 30, 30], [50, 0, 60, 10], [70, 0, 80, 10],
    ]  # fmt: skip
    assert found["classes"].tolist() == [0, 1, 1, 1]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.85, 0.75, 0.71])
    few = Views(scales=(1.0,), detections_per_image=2)
    assert few(Scripted([plain, mirrored]), IMAGE)["detections"][0]["classes"].tolist() == [0, 1]
    strict = Views(scales=(1.0,), suppression_iou=0.95)
    assert len(strict(Scripted([plain, mirrored]), IMAGE)["detections"][0]["scores"]) == 5


def test_every_view_is_asked_for_the_masks_of_all_boxes_where_it_sees_them():
    network = Scripted([[((2, 4, 10, 8), 0, 0.9)], []])
    (found,) = Views(scales=(0.5,))(network, IMAGE, (80, 80))["detections"]
    assert network.sizes == [(2, (20, 40))]
    assert network.asked[0].tolist() == [[2, 4, 10, 8]]
    assert network.asked[1].tolist() == [[30, 4, 38, 8]]
    assert found["boxes"].tolist() == [[4, 16, 20, 32]]
    assert found["masks"][0, 16:32, 4:20].all()
    assert found["masks"].sum() == 16 * 16


def test_sides_are_scaled_each_by_its_own_rounded_factor():
    """33x97 px at half the size are 16x47 px: not the same factor along both sides."""
    network = Scripted([[((0, 0, 47, 16), 0, 0.9)]])
    (found,) = Views(scales=(0.5,), flip=False)(network, torch.zeros(1, 3, 33, 97))["detections"]
    assert network.sizes == [(1, (16, 47))]
    torch.testing.assert_close(found["boxes"], torch.tensor([[0.0, 0.0, 97.0, 33.0]]))
    torch.testing.assert_close(network.asked[0], torch.tensor([[0.0, 0.0, 47.0, 16.0]]))
    assert found["masks"].all()


@pytest.mark.parametrize(("second", "there"), [(0.11, True), (0.09, False)])
def test_masks_are_averaged(second, there):
    told = [[((8, 8, 16, 16), 0, 0.9)], []]
    (found,) = Views(scales=(1.0,))(Scripted(told, mask=(0.9, second)), IMAGE)["detections"]
    assert bool(found["masks"].any()) == there
    assert bool(found["masks"][0, 8:16, 8:16].all()) == there


def test_probabilities_are_averaged_not_logits():
    network = Scripted([[]] * 6, logits=(0.0, 1.0, -2.0, 3.0, 0.5, 8.0))
    found = Views()(network, IMAGE, (10, 20))["semantic_logits"].softmax(dim=1)
    expected = torch.tensor(network.logits).sigmoid().mean()
    assert found.shape == (1, 2, 10, 20)
    torch.testing.assert_close(found[:, 1], expected.expand(1, 10, 20))
    assert network.sizes == [(2, (20, 40)), (2, (30, 60)), (2, (40, 80))]


def test_what_is_never_probable_stays_finite():
    network = Scripted([[]], logits=(500.0,))
    assert torch.isfinite(SINGLE(network, IMAGE)["semantic_logits"]).all()


def test_scales_are_relative_to_the_short_side_that_is_given():
    network = Scripted([[]] * 2)
    Views(scales=(0.5, 0.75), flip=False, short_side_px=64)(network, IMAGE)
    assert [size for _, size in network.sizes] == [(32, 64), (48, 96)]


@pytest.fixture(scope="module")
def cascade():
    torch.manual_seed(0)
    backbone = SmallResNetPyramid(widths=(32, 64, 96, 128), width=32)
    return PanopticCascade(
        4, 6, backbone=backbone, anchor_sizes_px=(8, 16, 32, 64, 96), anchors_kept=(200, 100),
        proposals_kept=(100, 50), regions_per_image=32, box_width=32, mask_layers=1, mask_width=16,
        semantic_width=32, roi_sampling_ratio=1, score_threshold=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("size", [None, (50, 123)])
@pytest.mark.parametrize("image_size", [(64, 128), (70, 100), (33, 97)])
def test_one_view_is_what_the_network_predicts(cascade, image_size, size):
    torch.manual_seed(1)
    image = torch.rand(2, 3, *image_size)
    views = Views(scales=(1.0,), flip=False, score_threshold=0.0)
    found = views(cascade, image, size)
    assert cascade.training
    for index, one in enumerate(image):
        expected = cascade.predict(one[None], size)
        (objects,), merged = expected["detections"], found["detections"][index]
        assert len(objects["scores"]) > 20
        for name, value in objects.items():
            assert torch.equal(merged[name], value), name
        probabilities = expected["semantic_logits"][0].softmax(dim=0)
        logits = found["semantic_logits"][index]
        torch.testing.assert_close(logits.softmax(dim=0), probabilities, atol=1e-6, rtol=0)
        assert torch.equal(logits.argmax(dim=0), probabilities.argmax(dim=0))


def test_a_smaller_view_is_not_stretched(cascade):
    """35x50 px are padded to 64x64: what is seen is that of 35x50, enlarged to the image."""
    torch.manual_seed(1)
    image = torch.rand(1, 3, 70, 100)
    found = Views(scales=(0.5,), flip=False, score_threshold=0.0)(cascade, image)
    expected = cascade.predict(resize_image(image, (35, 50)), (70, 100))
    torch.testing.assert_close(
        found["semantic_logits"].softmax(dim=1), expected["semantic_logits"].softmax(dim=1)
    )
    for name, value in expected["detections"][0].items():
        assert torch.equal(found["detections"][0][name], value), name


def test_all_views_of_a_real_network(cascade):
    torch.manual_seed(1)
    found = Views(score_threshold=0.0)(cascade, torch.rand(1, 3, 70, 100), (35, 50))
    assert found["semantic_logits"].shape == (1, 7, 35, 50)
    torch.testing.assert_close(
        found["semantic_logits"].exp().sum(dim=1), torch.ones(1, 35, 50), atol=1e-5, rtol=0
    )
    (objects,) = found["detections"]
    assert len(objects["scores"]) == 100
    assert (objects["scores"].diff() <= 0).all()
    assert objects["masks"].shape == (100, 35, 50)


def detectron2_views(cascade):
    """detectron2's own views of a copy of the network, for images in 8-bit levels."""
    config = get_cfg()
    config.MODEL.MASK_ON = True
    config.MODEL.ROI_HEADS.NUM_CLASSES = 4
    config.TEST.AUG.MIN_SIZES, config.TEST.AUG.FLIP = (35, 53, 70), True
    detector = copy.deepcopy(cascade).detector
    detector.inference = partial(GeneralizedRCNN.inference, detector)
    detector.pixel_mean = detector.pixel_mean * 255
    detector.pixel_std = detector.pixel_std * 255
    return GeneralizedRCNNWithTTA(config, detector, batch_size=1).eval()


def test_objects_are_those_of_detectron2(cascade):
    torch.manual_seed(1)
    levels = torch.randint(0, 256, (3, 70, 100), dtype=torch.uint8)
    with torch.no_grad(), quiet_detectron2():
        (seen,) = detectron2_views(cascade)([{"image": levels, "height": 70, "width": 100}])
    expected = seen["instances"]
    views = Views(scales=(0.5, 0.757, 1.0), score_threshold=0.0)  # 0.757 * 70 is 53
    (found,) = views(cascade, levels[None] / 255)["detections"]
    assert len(found["scores"]) == 100
    far = (found["boxes"][:, None] - expected.pred_boxes.tensor).abs().amax(dim=-1)
    far[found["classes"][:, None] != expected.pred_classes] = float("inf")
    nearest, twin = far.min(dim=1)  # near ties of the score come in another order
    assert sorted(twin.tolist()) == list(range(100))
    assert nearest.max() < 0.02  # px
    torch.testing.assert_close(found["scores"], expected.scores[twin], atol=1e-4, rtol=0)
    assert (found["masks"] == expected.pred_masks[twin]).float().mean() > 0.9999
    assert found["masks"].float().mean() > 0.01
