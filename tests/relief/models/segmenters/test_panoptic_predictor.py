import torch

from relief.models.segmenters.panoptic_predictor import PanopticPredictor
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
