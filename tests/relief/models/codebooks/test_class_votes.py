import pytest
import torch

from relief.models.codebooks.class_votes import (
    groups_of_classes,
    missing_classes,
    patch_classes,
    vote,
)
from relief.schema.label_spaces import CITYSCAPES_19

ROAD, SKY, PERSON, CAR = 0, 10, 11, 13


def test_a_patch_has_the_class_under_its_centre():
    target = torch.full((6, 9), -1)
    target[1, 1], target[4, 7], target[0, 0] = SKY, CAR, ROAD
    assert patch_classes(target, (2, 3)).tolist() == [SKY, -1, -1, -1, -1, CAR]


def test_the_majority_of_the_nearest_features_names_a_cluster():
    centroids = torch.tensor([[0.0, 0.0], [2.0, 0.0], [50.0, 0.0], [0.0, 3.0]])
    features = torch.tensor([[0.1, 0], [0.2, 0], [0.9, 0], [1.2, 0], [2.5, 0], [0, 2.0], [0, 4.0]])
    classes = torch.tensor([ROAD, CAR, CAR, PERSON, SKY, SKY, ROAD])
    # Two classes with one vote each: the lower id, as an argmax gives it.
    assert vote(features, classes, centroids, 19).tolist() == [CAR, SKY, -1, ROAD]


def test_votes_go_by_distance_not_by_angle():
    centroids = torch.tensor([[1.0, 0.0], [0.1, 0.1]])
    features = torch.tensor([[0.2, 0.0]])
    assert vote(features, torch.tensor([CAR]), centroids, 19).tolist() == [-1, CAR]


def test_classes_out_of_range_are_no_votes_for_the_next_cluster():
    centroids, features = torch.eye(2), torch.eye(2)
    for outside in (19, -1):
        with pytest.raises(ValueError, match=r"0\.\.18"):
            vote(features, torch.tensor([0, outside]), centroids, 19)


def test_a_thing_class_is_a_group():
    things, groups = groups_of_classes(torch.tensor([CAR, ROAD, -1, PERSON, CAR]), CITYSCAPES_19)
    assert things.tolist() == [True, False, False, True, True]
    assert groups.tolist() == [2, -1, -1, 0, 2]


def test_classes_without_cluster_are_named():
    named = torch.tensor([c for c in range(19) if c not in (6, 17)])
    assert missing_classes(named, CITYSCAPES_19) == ["traffic light", "motorcycle"]
