import torch

from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.models.self_training.pseudo_targets import pseudo_targets
from relief.models.self_training.semantic_thresholds import ShareOfMaximum
from relief.schema.training import DetectorClasses, SegmenterPrediction

CLASSES = DetectorClasses(things=(9, 2), stuff=(5, 7))
SURE = PanopticPredictor(score_threshold=0.7)
SIZE = (8, 12)


def objects(*described):
    """(rows, columns, thing class, score) of each."""
    masks = torch.zeros(len(described), *SIZE, dtype=torch.bool)
    for mask, (rows, columns, _, _) in zip(masks, described, strict=True):
        mask[rows, columns] = True
    return {
        "masks": masks,
        "boxes": torch.zeros(len(described), 4),
        "classes": torch.tensor([one[2] for one in described], dtype=torch.int64),
        "scores": torch.tensor([one[3] for one in described]),
    }


def logits():
    """Sky left, road right; one doubtful column between them."""
    probabilities = torch.full((2, 3, *SIZE), 0.05)
    probabilities[:, 1, :, :6] = 0.9
    probabilities[:, 2, :, 6:] = 0.9
    probabilities[:, :, :, 6] = torch.tensor([0.2, 0.4, 0.4])[:, None]
    probabilities[:, 0, 0, 0], probabilities[:, 1:, 0, 0] = 0.8, 0.1
    return probabilities.log()


def prediction():
    first = objects(
        (slice(0, 4), slice(0, 4), 1, 0.8),
        (slice(0, 4), slice(2, 6), 0, 0.9),  # painted first, takes half of the other
        (slice(5, 8), slice(0, 3), 0, 0.69),
        (slice(0, 4), slice(0, 5), 1, 0.75),  # more than half of it is painted already
        (slice(6, 8), slice(8, 12), 1, 0.71),
    )
    return SegmenterPrediction(semantic_logits=logits(), detections=[first, objects()])


def test_sure_objects_and_pixels_are_targets():
    semantic, instance, classes = pseudo_targets(prediction(), CLASSES, ShareOfMaximum(0.5), SURE)
    expected = torch.ones(SIZE, dtype=torch.int64)
    expected[:, 6:] = 2
    expected[:, 6] = -1
    expected[0, 0] = 0
    assert torch.equal(semantic, expected.expand(2, -1, -1))  # objects do not change it
    expected = torch.zeros(SIZE, dtype=torch.int64)
    expected[0:4, 0:4] = 2
    expected[0:4, 2:6] = 1
    expected[6:8, 8:12] = 3
    assert torch.equal(instance[0], expected)
    assert not instance[1].any()
    assert [one.tolist() for one in classes] == [[0, 1, 1], []]
    assert semantic.dtype == instance.dtype == classes[0].dtype == classes[1].dtype == torch.int64


def test_the_score_is_a_setting():
    less = PanopticPredictor(score_threshold=0.65)
    _, instance, classes = pseudo_targets(prediction(), CLASSES, ShareOfMaximum(), less)
    assert classes[0].tolist() == [0, 1, 1, 0]
    assert (instance[0, 5:8, 0:3] == 4).all()
    more = PanopticPredictor(score_threshold=0.95)
    _, instance, classes = pseudo_targets(prediction(), CLASSES, ShareOfMaximum(), more)
    assert not instance.any()
    assert [len(one) for one in classes] == [0, 0]


def test_without_things_there_are_no_objects():
    nothing = SegmenterPrediction(semantic_logits=logits()[:1], detections=[objects()])
    classes = DetectorClasses((), (5, 7))
    _, instance, classes = pseudo_targets(nothing, classes, ShareOfMaximum(), SURE)
    assert not instance.any()
    assert classes[0].tolist() == []


def test_objects_are_those_that_the_predictor_makes():
    """The road is a thing here: one region of it, no detection needed."""
    apart = DetectorClasses(things=(9,), stuff=(5,), apart=True)
    predictor = PanopticPredictor(things_from_regions=True)
    _, instance, classes = pseudo_targets(prediction(), apart, ShareOfMaximum(), predictor)
    assert [one.tolist() for one in classes] == [[0], [0]]
    assert torch.equal(instance[1] == 1, logits()[1].argmax(dim=0) == 2)
