import numpy as np
import pytest

from relief.metrics.coco_evaluation import (
    CocoRules,
    InstanceTable,
    coco_curves,
    mean_of_known,
    precision_of_draws,
)

RULES = CocoRules((0.5,), (1, 100), {"all": (0, 1e10), "small": (0, 50)})


def table(iou, scores, predicted_px=None, true_px=None, crowd=None, categories=None):
    iou = np.array(iou, float).reshape(len(scores), -1)
    objects = iou.shape[1]
    ones = np.ones(len(scores), np.int64)
    return InstanceTable(
        iou,
        np.array(scores, float),
        100.0 * ones if predicted_px is None else np.array(predicted_px, float),
        np.full(objects, 100.0) if true_px is None else np.array(true_px, float),
        np.zeros(objects, bool) if crowd is None else np.array(crowd),
        ones if categories is None else np.array(categories),
        np.ones(objects, np.int64),
    )


def ap(images, size=0):
    return mean_of_known(coco_curves(images, [1], RULES).precision[0, :, :, size, -1])


def test_the_surest_come_first_and_an_object_is_found_once():
    assert ap([table([[0.9], [0.8]], [0.9, 0.1])]) == pytest.approx(1)
    # the wrong one is surer: at every recall a precision of one half
    assert ap([table([[0.0], [0.8]], [0.9, 0.1])]) == pytest.approx(0.5)
    assert ap([table([[0.4]], [0.9])]) == 0
    assert np.isnan(ap([table(np.zeros((1, 0)), [0.9])]))


def test_an_instance_of_another_category_finds_nothing():
    image = table([[0.9], [0.9]], [0.9, 0.1], categories=[2, 1])
    assert ap([image]) == pytest.approx(1)
    assert ap([table([[0.9]], [0.9], categories=[2])]) == 0


def test_a_crowd_forgives_and_is_no_object():
    image = table([[0.0, 0.9], [0.8, 0.0]], [0.9, 0.1], crowd=[False, True])
    assert ap([image]) == pytest.approx(1)


def test_sizes_are_of_objects_and_unmatched_instances_of_other_sizes_do_not_count():
    image = table([[0.9, 0], [0, 0]], [0.1, 0.9], predicted_px=[40, 300], true_px=[40, 300])
    assert ap([image], size=1) == pytest.approx(1)
    assert ap([image], size=0) < 0.6


def test_only_the_surest_few_of_an_image_count():
    curves = coco_curves([table([[0.9, 0], [0, 0.9]], [0.2, 0.9])], [1], RULES)
    assert curves.recall[0, 0, 0].tolist() == [0.5, 1]


def test_drawn_images_count_as_often_as_they_are_drawn():
    random = np.random.default_rng(3)
    images = [table(random.random((6, 4)), random.random(6)) for _ in range(5)]
    draws = np.array([[1, 1, 1, 1, 1], [0, 2, 0, 3, 0], [5, 0, 0, 0, 0]])
    found = precision_of_draws(images, draws, [0.5, 0.75])
    assert found.shape == (3, 2)
    rules = CocoRules((0.5, 0.75), (100,), {"all": (0, 1e10)})
    for draw, row in zip(draws, found, strict=True):
        drawn = [images[i] for i in np.repeat(np.arange(5), draw)]
        expected = [mean_of_known(one) for one in coco_curves(drawn, [1], rules).precision]
        assert row.tolist() == pytest.approx(expected)
