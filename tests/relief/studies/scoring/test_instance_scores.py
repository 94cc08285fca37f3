import pytest

from relief.metrics.instance_ap import InstanceAveragePrecision
from relief.schema.errors import ReadError, UsageError
from relief.studies.scoring.instance_scores import score_instances
from tests.relief.metrics.test_instance_ap import drawn


class Given:
    """Instances by key; a key with `None` cannot be read."""

    def __init__(self, instances, *, has_masks=True):
        self.by_key, self.has_masks = instances, has_masks
        self.keys = sorted(instances)

    def instances(self, key):
        if self.by_key[key] is None:
            raise ReadError(f"cannot read {key}. Mend it.")
        return self.by_key[key]


PAIRS = {f"{seed}": drawn(seed) for seed in range(4)}
PREDICTED = Given({key: pair[0] for key, pair in PAIRS.items()})
TRUTH = Given({key: pair[1] for key, pair in PAIRS.items()})


def expected(**arguments):
    metric = InstanceAveragePrecision(**arguments)
    for key, (predicted, true) in PAIRS.items():
        metric.update([predicted], [true], [key])
    return metric.compute()


def test_figures_are_those_of_the_metric_in_percent():
    scores = score_instances(PREDICTED, TRUTH, {1: "cat", 2: "dog"}, num_examples=2)
    figures = expected(class_ids=(1, 2))
    assert scores.metrics["masks"]["ap"] == pytest.approx(100 * figures["masks/ap"].item())
    by_class = scores.metrics["boxes_by_class"]
    assert by_class["ap50"] == pytest.approx(100 * figures["boxes_by_class/ap50"].item())
    assert list(by_class["per_class"]) == ["cat", "dog"]
    cat = figures["boxes_by_class/per_class"][0] * 100
    assert list(by_class["per_class"]["cat"].values()) == pytest.approx(cat.tolist())
    counts = scores.metrics["counts"]
    assert counts["images"] == 4
    assert counts["found"] == counts["right"]
    assert counts["found"] + counts["missed"] == 4 * 8  # crowds apart
    assert [image.key for image in scores.examples] == ["0", "2"]
    assert "per_class" not in scores.metrics["masks"]


def test_without_masks_on_a_side_boxes_are_measured():
    boxes = Given(PREDICTED.by_key, has_masks=False)
    assert list(score_instances(boxes, TRUTH).metrics) == ["boxes", "counts"]


def test_larger_instances_first_where_asked():
    one = score_instances(PREDICTED, TRUTH, by_area=True).metrics["masks"]
    assert one["ap50"] != score_instances(PREDICTED, TRUTH).metrics["masks"]["ap50"]
    assert one["ar100"] == pytest.approx(100 * expected()["masks/ar100"].item(), abs=8)


def test_images_that_cannot_be_read_are_told_and_the_others_measured():
    broken = Given(PREDICTED.by_key | {"1": None, "x": None})
    scores = score_instances(broken, TRUTH)
    assert [failure["reason"] for failure in scores.failures] == ["cannot read 1. Mend it."]
    assert scores.metrics["counts"]["images"] == 3
    with pytest.raises(ReadError, match="none of 1 images can be measured"):
        score_instances(Given({"1": None}), TRUTH)
    with pytest.raises(UsageError, match=r"^no image has both"):
        score_instances(Given({"x": None}), TRUTH)
