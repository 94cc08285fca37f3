from functools import partial

import pytest
import torch
from sklearn.cluster import MeanShift
from sklearn.metrics import adjusted_rand_score

from relief.ops.embeddings.clusters import (
    average_linkage,
    cluster_in_mask,
    drop_unstable,
    mean_shift,
    median_overlap,
    merge_close_clusters,
)
from tests.relief.ops.thesis_golden import golden


def plus(points, distance):
    return merge_close_clusters(points, mean_shift(points, 0.5), distance)


METHODS = {
    "mean_shift@0.5": partial(mean_shift, bandwidth=0.5),
    "mean_shift_plus@0.5,2.0": partial(plus, distance=2.0),
    "mean_shift_plus@0.5,1.5": partial(plus, distance=1.5),
    "average_linkage@0.7": partial(average_linkage, threshold=0.7),
    "average_linkage@1.5": partial(average_linkage, threshold=1.5),
}


def same(first, second):
    return adjusted_rand_score(first.flatten().numpy(), second.flatten().numpy()) == 1.0


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("name", METHODS)
def test_partitions_are_the_reference(index, name):
    mask = golden(f"clusters/{index}/mask")
    found = cluster_in_mask(golden(f"clusters/{index}/embedding"), mask, METHODS[name])
    assert torch.equal(found > 0, mask)
    assert same(found, golden(f"clusters/{index}/{name}"))


@pytest.mark.parametrize("seed", range(3))
def test_sklearn_seeded_by_every_point_judges_mean_shift(seed):
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(6, 16, generator=generator)
    points = centres.repeat_interleave(40, 0) + 0.05 * torch.randn(240, 16, generator=generator)
    judge = MeanShift(bandwidth=0.5, bin_seeding=False).fit_predict(points.numpy())
    found = mean_shift(points, 0.5, torch.Generator().manual_seed(seed + 10))
    assert same(found, torch.from_numpy(judge))
    assert torch.equal(mean_shift(points, 0.5), mean_shift(points, 0.5))


def test_no_tight_object_is_lost_in_many_dimensions():
    """Seeds rounded to a grid, as published, lie too far from the points to live."""
    generator = torch.Generator().manual_seed(0)
    centres = 4 * torch.randn(8, 32, generator=generator)
    points = centres.repeat_interleave(20, 0) + 0.01 * torch.randn(160, 32, generator=generator)
    assert same(mean_shift(points, 0.5), torch.arange(8).repeat_interleave(20))
    assert mean_shift(points[:1], 0.5).tolist() == [0]
    assert mean_shift(points[:0], 0.5).shape == (0,)


def test_modes_without_support_give_their_points_away():
    points = torch.tensor([[0.0]] * 20 + [[3.0]] * 2 + [[10.0]] * 8)
    assert len(mean_shift(points, 0.5).unique()) == 3
    floored = mean_shift(points, 0.5, min_support=5)
    assert floored.tolist() == [0] * 22 + [1] * 8
    assert set(mean_shift(points, 0.5, min_support=1000).tolist()) == {0}


def test_anchors_never_move_and_the_order_is_by_size():
    row = torch.tensor([0.0, 1.3, 2.6])
    middle = torch.tensor([0] * 2 + [1] * 5 + [2] * 3)
    assert merge_close_clusters(row[middle][:, None], middle, 1.5).tolist() == [0] * 10
    left = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    assert merge_close_clusters(row[left][:, None], left, 1.5).tolist() == [0] * 8 + [1] * 2
    named = torch.where(left == 0, 7, left)
    assert same(merge_close_clusters(row[left][:, None], named, 0.5), left)


def test_many_points_go_to_the_nearest_cluster():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(3000, 4, generator=generator) * 0.05
    points[1500:] += 5
    truth = torch.arange(3000) >= 1500
    assert same(average_linkage(points, 1.5), truth.long())
    assert same(mean_shift(points.repeat(2, 1), 0.5), truth.long().repeat(2))


def test_an_empty_mask_asks_nobody():
    def never(points):
        raise AssertionError

    clusters = cluster_in_mask(torch.rand(2, 3, 4), torch.zeros(3, 4, dtype=torch.bool), never)
    assert clusters.tolist() == [[0] * 4] * 3


def test_an_object_larger_than_all_else_is_an_object():
    """Background is what lies outside of the mask, whatever its size."""
    mask = torch.ones(8, 20, dtype=torch.bool)
    mask[7:] = False
    embedding = torch.zeros(2, 8, 20)
    embedding[:, :, 16:] = 3
    clusters = cluster_in_mask(embedding, mask, partial(plus, distance=1.5))
    assert not clusters[~mask].any()
    assert [len(clusters[:7, own].unique()) for own in (slice(16), slice(16, 20))] == [1, 1]
    assert clusters[0, 0] != clusters[0, 19]
    assert (clusters[mask] >= 1).all()


def test_unstable_clusters_are_the_reference():
    clusters, teacher = golden("stability/clusters"), golden("stability/teacher").double()
    overlap = median_overlap(teacher, clusters, golden("stability/anchors"))
    torch.testing.assert_close(overlap, golden("stability/median_iou"), atol=1e-6, rtol=0)
    assert torch.equal(drop_unstable(clusters, overlap), golden("stability/filtered"))
    assert torch.equal(overlap >= 0.6, golden("stability/kept"))
