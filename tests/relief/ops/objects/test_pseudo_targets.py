import pytest
import torch

from relief.ops.objects.pseudo_targets import (
    InsideCounts,
    InsideShare,
    NormalisedInsideShare,
    check_classes,
    count_inside,
    detector_targets,
    inside_share,
)
from relief.schema.errors import UsageError
from relief.schema.training import DetectorClasses

CLASSES = DetectorClasses(things=(1, 3), stuff=(0, 2))


def panoptic(category, instance):
    return torch.stack((torch.tensor(category), torch.tensor(instance)), dim=-1)


def test_things_share_a_class_and_stuff_comes_after_it():
    targets = detector_targets(panoptic([[0, 2, 1, 3, -1]], [[0, 0, 1, 2, 0]]), CLASSES)
    assert targets.semantic.tolist() == [[1, 2, 0, 0, -1]]
    assert targets.instance.tolist() == [[0, 0, 1, 2, 0]]
    assert targets.classes.tolist() == [0, 1]


@pytest.mark.parametrize("ignore, loose", [(False, 3), (True, -1)])
def test_things_told_apart_have_the_region_of_their_object(ignore, loose):
    apart = DetectorClasses(CLASSES.things, CLASSES.stuff, apart=True)
    labels = panoptic([[0, 2, 3, 3, 1, 1, -1]], [[0, 0, 1, 1, 1, 0, 0]])
    targets = detector_targets(labels, apart, ignore_unknown_things=ignore)
    assert targets.semantic.tolist() == [[1, 2, 4, 4, 4, loose, -1]]
    assert targets.instance.tolist() == [[0, 0, 1, 1, 1, 0, 0]]
    assert targets.classes.tolist() == [1]


def test_the_class_of_an_instance_is_that_of_most_of_its_known_pixels():
    labels = panoptic([[3, 3, 3, 1, 1, -1, -1, -1, -1]], [[7, 7, 7, 7, 7, 7, 7, 7, 0]])
    targets = detector_targets(labels, CLASSES)
    assert targets.classes.tolist() == [1]
    assert targets.instance.tolist() == [[1] * 8 + [0]]
    assert targets.semantic.tolist() == [[0] * 8 + [-1]]


def test_instances_of_stuff_or_of_nothing_are_ignored():
    labels = panoptic([[2, 2, 1, -1, -1, 0]], [[4, 4, 5, 9, 9, 0]])
    targets = detector_targets(labels, CLASSES)
    assert targets.semantic.tolist() == [[-1, -1, 0, -1, -1, 1]]
    assert targets.instance.tolist() == [[0, 0, 1, 0, 0, 0]]
    assert targets.classes.tolist() == [0]


@pytest.mark.parametrize(("ignored", "expected"), [(False, 0), (True, -1)])
def test_thing_pixels_without_an_instance(ignored, expected):
    labels = panoptic([[1, 1, 0]], [[0, 1, 0]])
    targets = detector_targets(labels, CLASSES, ignore_unknown_things=ignored)
    assert targets.semantic.tolist() == [[expected, 0, 1]]
    assert targets.classes.tolist() == [0]


def test_more_than_255_instances():
    instance = torch.arange(400).reshape(20, 20)
    labels = torch.stack((torch.full((20, 20), 3), instance), dim=-1)
    targets = detector_targets(labels, CLASSES)
    assert torch.equal(targets.instance, instance)
    assert targets.classes.tolist() == [1] * 399


def test_a_map_of_instances_only_and_a_void_one():
    everywhere = detector_targets(panoptic([[1, 1]], [[3, 8]]), CLASSES)
    assert everywhere.instance.tolist() == [[1, 2]]
    void = detector_targets(panoptic([[-1, -1]], [[0, 0]]), CLASSES)
    assert void.semantic.tolist() == [[-1, -1]]
    assert len(void.classes) == 0


def test_unknown_categories_are_void():
    assert detector_targets(panoptic([[9, 1]], [[1, 2]]), CLASSES).semantic.tolist() == [[-1, 0]]


def test_counts_and_shares():
    counts = count_inside(panoptic([[0, 0, 1, 1, -1]], [[0, 0, 0, 2, 3]]), 3)
    assert counts.pixels.tolist() == [2, 2, 0]
    assert counts.inside.tolist() == [0, 1, 0]
    assert inside_share(counts).tolist() == pytest.approx([0, 0.5, 0], abs=1e-5)


def counts_of(shares):
    return InsideCounts(
        torch.full((len(shares),), 1000), (torch.tensor(shares) * 1000).round().long()
    )


def test_the_raw_share_decides():
    classes = InsideShare(0.5).classes(counts_of([0.1, 0.9, 0.5, 0.6]))
    assert (classes.things, classes.stuff) == ((1, 3), (0, 2))


def test_the_published_rule_and_its_two_holes():
    rule = NormalisedInsideShare(0.08)
    assert rule.things(counts_of([0.9, 0.01, 0.8, 0.02])) == (0, 2)
    assert rule.things(counts_of([0.9] * 15 + [0.0] * 65)) == ()  # 1/15 < 0.08
    assert rule.things(counts_of([0.5, 0.5, 0.5])) == ()  # all pass
    assert InsideShare(0.5).things(counts_of([0.9] * 15 + [0.0] * 65)) == tuple(range(15))


@pytest.mark.parametrize(("shares", "side"), [([0.0, 0.1, 0.25], "things"), ([0.9, 0.8], "stuff")])
def test_an_empty_side_is_told_with_the_figures(shares, side):
    with pytest.raises(UsageError, match=f"no {side} among") as told:
        InsideShare(0.5).classes(counts_of(shares))
    assert f"{max(shares):.2f}" in str(told.value)
    assert "\n" not in str(told.value)


def test_classes_without_counts():
    with pytest.raises(UsageError, match="no stuff among 2 categories"):
        check_classes(DetectorClasses((0, 1), ()))
