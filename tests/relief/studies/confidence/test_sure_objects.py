import numpy as np
import pytest
import torch

from relief.studies.confidence.sure_objects import (
    SureObjects,
    calibration,
    mean_ranks,
    right_objects,
    true_objects,
    without_objects,
)


def test_confidence_of_an_object_is_the_mean_over_its_pixels():
    panoptic = torch.tensor([[[3, 1], [3, 1], [3, 2], [0, 0]]])
    sure = SureObjects.of(panoptic, torch.tensor([[1.0, 0.2, 0.6, 0.0]]))
    assert sure.ids.tolist() == [[3, 1], [3, 2]]
    assert sure.confidence.tolist() == pytest.approx([0.6, 0.6])
    assert sure.image_confidence == pytest.approx(0.45)


TABLE = np.array(
    [
        # category, instance, true class, true instance, pixels
        [4, 1, 13, 1, 60],
        [4, 1, -1, 0, 100],  # true void is left out
        [4, 2, 13, 1, 40],
        [4, 2, 13, 2, 10],
        [0, 0, 13, 2, 30],
        [5, 3, 11, 4, 50],
    ]
)
CLASSES = np.array([0, 0, 0, 0, 13, 13])


def test_a_match_is_of_the_same_class_and_more_than_half():
    ids = np.array([[4, 1], [4, 2], [5, 3]])
    assert right_objects(TABLE, ids, CLASSES).tolist() == [1, 0, 0]
    of_person = np.where(np.arange(6) == 5, 11, CLASSES)
    assert right_objects(TABLE, ids, of_person).tolist() == [1, 0, 1]


def test_dropped_objects_are_things_without_an_instance():
    dropped = without_objects(TABLE, np.array([[4, 2]]))
    assert dropped[:, 1].tolist() == [1, 1, 0, 0, 0, 3]
    assert TABLE[2, 1] == 2


def test_true_objects_of_things_are_counted_once():
    assert true_objects(TABLE, np.array([11, 13])) == 3
    assert true_objects(TABLE, np.array([11])) == 1


def test_ranks_are_averaged_and_those_that_are_alike_share_one():
    ranks = mean_ranks([np.array([0.1, 0.9, 0.9, 0.2]), np.array([4.0, 3.0, 2.0, 1.0])])
    assert ranks.tolist() == pytest.approx([(0.5 + 3.5) / 8, 5.5 / 8, 4.5 / 8, 2 / 8])
    assert mean_ranks([np.zeros(0)]).shape == (0,)


def test_scores_that_are_right_as_often_as_they_say_are_calibrated():
    confidence = np.repeat([0.25, 0.75], 8)
    right = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0], np.float64)
    score, share, weight = calibration(confidence, right, bins=2)
    assert score.tolist() == share.tolist() == [0.25, 0.75]
    assert weight.tolist() == [0.5, 0.5]
