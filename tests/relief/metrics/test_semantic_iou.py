import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import jaccard_score

from relief.metrics.classes import Classes
from relief.metrics.semantic_iou import (
    CategoryCounts,
    category_counts,
    confusion_matrix,
    iou_per_class,
    semantic_averages,
)

CLASSES = Classes.of((2,), (0, 1))
# predicted category, instance, true category, instance, pixels
TABLE = np.array(
    [
        [0, 0, 0, 0, 6],
        [1, 0, 0, 0, 2],
        [1, 5, 1, 0, 3],
        [-1, 0, 1, 0, 1],
        [7, 0, 1, 0, 4],
        [0, 0, -1, 0, 9],
    ]
)


def counts():
    return category_counts(TABLE, 3, CLASSES.categories(), 3)


def test_void_truth_is_left_out_and_void_predictions_are_kept_apart():
    assert counts().pixels.tolist() == [[6, 0, 0], [2, 3, 0], [0, 0, 0]]
    assert counts().void_px.tolist() == [0, 5, 0]
    twice = counts() + CategoryCounts(counts().pixels, counts().void_px)
    assert twice.pixels.sum() == 22


def test_figures_by_hand():
    confusion = confusion_matrix(counts(), np.array([0, 1, 2]))
    assert confusion.tolist() == [[6, 2, 0, 0], [0, 3, 0, 5], [0, 0, 0, 0]]
    iou = iou_per_class(confusion)
    assert iou[:2].tolist() == [6 / 8, 3 / 10]
    assert np.isnan(iou[2])
    averages = semantic_averages(confusion)
    assert averages["miou"] == pytest.approx((0.75 + 0.3) / 2)
    assert averages["pixel_accuracy"] == pytest.approx(9 / 16)
    forgiving = semantic_averages(confusion, forgives_void=True)
    assert forgiving["miou"] == pytest.approx((0.75 + 0.6) / 2)
    assert forgiving["pixel_accuracy"] == pytest.approx(9 / 11)


def test_several_clusters_may_share_a_class_and_one_may_be_void():
    confusion = confusion_matrix(counts(), np.array([1, 1, -1]))
    assert confusion.tolist() == [[0, 8, 0, 0], [0, 3, 0, 5], [0, 0, 0, 0]]


def test_equals_scikit_learn():
    random = np.random.default_rng(0)
    true, pred = random.integers(0, 4, 500), random.integers(0, 4, 500)
    confusion = np.concatenate([sklearn_confusion(true, pred), np.zeros((4, 1), int)], axis=1)
    expected = jaccard_score(true, pred, average=None)
    np.testing.assert_allclose(iou_per_class(confusion), expected, atol=1e-12)
