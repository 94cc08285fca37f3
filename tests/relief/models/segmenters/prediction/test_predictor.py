import pytest
import torch

from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.models.segmenters.prediction.test_time_augmentation import TestTimeAugmentation as Views
from relief.schema.errors import ReadError, UsageError
from relief.schema.training import Detections, DetectorClasses, SegmenterPrediction

CLASSES = DetectorClasses(things=(7,), stuff=(3, 5))


class Seen:
    """Remembers what it was shown; one doubtful object above stuff 0 with a little of stuff 1."""

    def predict(self, image, size):
        self.shown = tuple(image.shape)
        logits = torch.zeros(len(image), 3, *size)
        logits[:, 1] = 1
        logits[:, 2, -4:, -8:] = 2
        mask = torch.zeros(1, *size, dtype=torch.bool)
        mask[:, :8] = True
        found = Detections(
            masks=mask, boxes=torch.zeros(1, 4), classes=torch.tensor([0]),
            scores=torch.tensor([0.6]),
        )  # fmt: skip
        return SegmenterPrediction(semantic_logits=logits, detections=[found] * len(image))


def test_the_network_sees_its_size_and_the_map_has_the_one_asked_for():
    seen = Seen()
    maps = PanopticPredictor(short_side_px=16)(seen, CLASSES, torch.rand(2, 3, 64, 128), (32, 64))
    assert seen.shown == (2, 3, 16, 32)
    assert maps.shape == (2, 32, 64, 2)
    assert maps[0, ..., 0].unique().tolist() == [3, 5, 7]
    PanopticPredictor()(seen, CLASSES, torch.rand(1, 3, 64, 128), (64, 128))
    assert seen.shown == (1, 3, 64, 128)


def test_the_thresholds_are_passed_on():
    image = torch.rand(1, 3, 32, 64)
    doubtful = PanopticPredictor(score_threshold=0.7)(Seen(), CLASSES, image, (32, 64))
    assert 7 not in doubtful[..., 0]
    limit_px = 33 * (1024 * 2048) / (32 * 64)  # one pixel more than there are of stuff 1
    small = PanopticPredictor(stuff_area_px=limit_px)(Seen(), CLASSES, image, (32, 64))
    assert small[..., 0].unique().tolist() == [-1, 3, 7]


def test_objects_come_from_regions_where_asked_for():
    image = torch.rand(1, 3, 64, 128)
    apart = DetectorClasses(things=(7,), stuff=(3,), apart=True)  # class 2 is the region of things
    predictor = PanopticPredictor(things_from_regions=True, stuff_area_px=4096)
    (seen,) = predictor(Seen(), apart, image, (64, 128))
    assert seen[..., 0].tolist() == [[3] * 128] * 60 + [[3] * 120 + [7] * 8] * 4
    assert (seen[..., 1] == 1).sum() == 4 * 8
    predictor.check(apart)
    with pytest.raises(UsageError, match="things_apart"):
        predictor.check(CLASSES)
    PanopticPredictor().check(CLASSES)


def test_things_that_nobody_found_are_the_likeliest_stuff_where_asked_for():
    image = torch.rand(1, 3, 64, 128)
    apart = DetectorClasses(things=(7,), stuff=(3,), apart=True)
    (plain,) = PanopticPredictor()(Seen(), apart, image, (64, 128))
    assert plain[60:, 120:, 0].unique().tolist() in ([7], [-1])
    predictor = PanopticPredictor(unfound_as_stuff=True)
    (seen,) = predictor(Seen(), apart, image, (64, 128))
    assert seen[60:, 120:].flatten(0, 1).unique(dim=0).tolist() == [[3, 0]]
    assert torch.equal(seen[:60], plain[:60])
    record = predictor.record(Seen(), apart, image[0])
    assert torch.equal(record.panoptic, seen)
    predictor.check(apart)
    with pytest.raises(UsageError, match="things_apart"):
        predictor.check(CLASSES)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["semantic_logits", "scores", "boxes"])
def test_outputs_that_are_not_finite_make_no_map(value, where):
    class Diverged(Seen):
        def predict(self, image, size):
            found = super().predict(image, size)
            part = found if where == "semantic_logits" else found["detections"][0]
            part[where].view(-1)[0] = value
            return found

    with pytest.raises(ReadError, match=r"^outputs are not finite: .* Leave it out, or use"):
        PanopticPredictor()(Diverged(), CLASSES, torch.rand(1, 3, 8, 16), (8, 16))


class SeenInSteps(Seen):
    """The same in steps, and all sizes that it was shown."""

    def __init__(self):
        self.sizes = []

    def encode(self, image):
        self.sizes.append(tuple(image.shape))
        return self.predict(image, image.shape[-2:])

    def boxes(self, features):
        height, width = features["semantic_logits"].shape[-2:]
        top = torch.tensor([[0.0, 0.0, width, height / 4]])
        return [{**found, "boxes": top} for found in features["detections"]]

    def mask_probabilities(self, features, boxes, classes):
        return [torch.ones(len(its_boxes), 28, 28) for its_boxes in boxes]

    def semantic_logits(self, features):
        return features["semantic_logits"]


def test_several_views_take_the_place_of_the_image():
    image, seen = torch.rand(1, 3, 64, 128), SeenInSteps()
    views = Views(scales=(0.5, 1.0), score_threshold=0.5)
    maps = PanopticPredictor(short_side_px=32, views=views)(seen, CLASSES, image, (32, 64))
    assert seen.sizes == [(2, 3, 16, 32), (2, 3, 32, 64)]
    assert (maps[0, :8] == torch.tensor([7, 1])).all()
    assert maps[0, 8:, :, 0].unique().tolist() == [3, 5]
    seen.sizes.clear()
    views = Views(scales=(1.0,), flip=False, short_side_px=16)  # their own short side counts
    PanopticPredictor(short_side_px=32, views=views)(seen, CLASSES, image, (32, 64))
    PanopticPredictor(views=Views(scales=(1.0,)))(seen, CLASSES, image, (32, 64))
    assert seen.sizes == [(1, 3, 16, 32), (2, 3, 64, 128)]
