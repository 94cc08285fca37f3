import numpy as np
import pytest
import torch

from relief.ops.centroid_groups import group_centroids, renumbered


def test_groups__alike_directions_whatever_their_length():
    angles = torch.tensor([1.0, 90.0, 0.0, 91.0, 180.0]).deg2rad()
    lengths = torch.tensor([1.0, 5.0, 0.1, 2.0, 1.0])
    centroids = lengths[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1)
    found = group_centroids(centroids)
    assert found.groups.tolist() == [0, 1, 0, 1, 2]
    assert found.cut == pytest.approx(found.mean_distance / 2)
    pairs = [1 - np.cos(np.deg2rad(d)) for d in (89, 1, 90, 179, 90, 1, 90, 91, 180, 89)]
    assert found.mean_distance == pytest.approx(np.mean(pairs), abs=1e-6)


def test_groups__no_merging_and_one_for_all():
    centroids = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    assert group_centroids(centroids, 0.0).groups.tolist() == list(range(6))
    assert group_centroids(centroids, 100.0).groups.tolist() == [0] * 6


@pytest.mark.parametrize("k", [0, 1])
def test_groups__too_few_to_merge(k):
    assert group_centroids(torch.ones(k, 3)).groups.tolist() == list(range(k))


def test_renumbered__in_order_of_first_occurrence():
    assert renumbered(np.array([7, 2, 7, 9, 2])).tolist() == [0, 1, 0, 2, 1]
