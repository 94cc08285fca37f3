import itertools

import numpy as np
import pytest
import torch

from relief.ops.thingness import (
    ClusterStatistics,
    cluster_statistics,
    components_per_image,
    covers_ground,
    free_standing,
    front_share,
    share_above,
    split_ratio,
    total,
    two_class_cut,
)


def two_cars_on_a_wall():
    """Cluster 1 is one region of two objects at different depths before cluster 0."""
    semantic = torch.zeros(64, 128, dtype=torch.int64)
    depth = torch.ones(1, 64, 128)
    semantic[20:50, 20:60] = 1
    depth[:, 20:50, 20:40] = 0.2
    depth[:, 20:50, 40:60] = 0.5
    return semantic, depth


def test_statistics__objects_fall_apart_and_stand_in_front():
    semantic, depth = two_cars_on_a_wall()
    found = cluster_statistics(semantic, depth, 3)
    assert (found.images, found.images_with_depth, found.image_pixels) == (1, 1, 64 * 128)
    assert found.pixels.tolist() == [64 * 128 - 1200, 1200, 0]
    assert found.occurrences.tolist() == [1, 1, 0]
    assert found.components.tolist() == found.whole_components.tolist() == [1, 1, 0]
    assert found.parted_components.tolist() == [1, 2, 0]
    assert split_ratio(found).tolist() == [1.0, 2.0, 0.0]
    # Without smoothing an edge is two pixels wide: one on each side of every step.
    sharp = cluster_statistics(semantic, depth, 3, sigma=0).in_front
    assert sharp[0].tolist() == [0, 0, 0]
    assert sharp[1, 0] > 0.9 * 2 * (2 * 40 + 2 * 30)
    assert sharp[1, 1] == 2 * 30 - 4  # the step between the cars, but for the corners


def test_statistics__without_depth():
    semantic, _ = two_cars_on_a_wall()
    semantic[0, 0] = -1
    semantic[40:42] = -1
    found = cluster_statistics(semantic, None, 2)
    assert found.images_with_depth == 0
    assert found.components.tolist() == [2, 2]
    assert found.parted_components.tolist() == found.whole_components.tolist() == [0, 0]
    assert not found.in_front.any()
    assert components_per_image(found).tolist() == [2.0, 2.0]


def test_statistics__sum_in_any_order_or_grouping():
    semantic, depth = two_cars_on_a_wall()
    parts = [
        cluster_statistics(semantic, depth, 3),
        cluster_statistics(semantic.flip(0), None, 3),
        cluster_statistics(2 - semantic, depth.flip(1), 3),
    ]
    once, again = total(parts, 3), total([parts[2] + parts[0], parts[1]], 3)
    for name, value in vars(once).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    assert once.images == 3
    assert once.images_with_depth == 2
    assert total([], 3).images == 0


def test_covers_ground__both_fractions_count():
    # 100 images of 1000 px: large regions, small regions, large ones that are rare.
    none = np.zeros(3, np.int64)
    statistics = ClusterStatistics(
        images=100,
        images_with_depth=0,
        image_pixels=100_000,
        pixels=np.array([40_000, 40_000, 200]),
        occurrences=np.array([100, 100, 2]),
        components=np.array([100, 10_000, 2]),
        parted_components=none,
        whole_components=none,
        in_front=np.zeros((3, 3), np.int64),
    )
    assert covers_ground(statistics).tolist() == [True, False, False]


def test_front_share__edges_inside_a_group_do_not_count():
    none = np.zeros(3, np.int64)
    statistics = ClusterStatistics(
        images=1,
        images_with_depth=1,
        image_pixels=1000,
        pixels=np.array([100, 300, 600]),
        occurrences=none + 1,
        components=none + 1,
        parted_components=none + 1,
        whole_components=none + 1,
        in_front=np.array([[7, 50, 30], [20, 5, 6], [0, 0, 90]]),
    )
    np.testing.assert_allclose(
        front_share(statistics, np.array([0, 1, 2])), np.sqrt([80 / 100, 26 / 300, 0])
    )
    np.testing.assert_allclose(front_share(statistics, np.array([0, 0, 1])), np.sqrt([36 / 400, 0]))
    np.testing.assert_allclose(
        free_standing(statistics, np.array([0, 1, 2])),
        [0.8 * np.sqrt(80 / 100), 26 / 76 * np.sqrt(26 / 300), 0],
    )


@pytest.mark.parametrize(
    "values, cut",
    [
        ([0.0, 0.1, 0.9, 1.0], 0.5),
        ([5.0, 1.0, 1.0, 1.0], 3.0),
        ([2.0, 2.0], 2.0),
        ([4.0], 4.0),
        ([], 0.0),
    ],
)
def test_two_class_cut(values, cut):
    assert two_class_cut(np.array(values)) == pytest.approx(cut)


def test_two_class_cut__is_the_best_of_all():
    values = np.random.default_rng(0).normal(size=40) ** 2

    def spread(cut):
        return sum(part.var() * len(part) for part in (values[values <= cut], values[values > cut]))

    pairs = itertools.pairwise(np.sort(values))
    best = sum(min(pairs, key=lambda pair: spread(sum(pair) / 2))) / 2
    assert two_class_cut(values) == pytest.approx(best)


def test_the_cut_counts_weights():
    values = np.array([0.1, 0.2, 0.3, 0.9])
    assert two_class_cut(values) == pytest.approx(0.6)
    # many clusters at 0.1 and 0.2 against many at 0.3: one far out no longer sets the cut
    heavy = two_class_cut(values, np.array([50.0, 50.0, 100.0, 1.0]))
    assert heavy == pytest.approx(0.25)


def test_share_above__half_at_the_cut_and_rising():
    values = np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0])
    cut = two_class_cut(values)
    shares = share_above(np.append(values, cut), cut)
    assert shares[-1] == pytest.approx(0.5, abs=1e-9)
    assert (np.diff(shares[:-1]) > 0).all()
    # Means .1 and .9, spread of squares .02 / 3: the log odds at 0.2 are -.3 * .8 / spread.
    spread = (4 * 0.01) / 6
    assert share_above(values, cut)[2] == pytest.approx(1 / (1 + np.exp(0.3 * 0.8 / spread)))


@pytest.mark.parametrize("values", [[0.2, 0.2], [0.0, 1.0], []])
def test_share_above__certain_without_spread(values):
    values = np.array(values)
    cut = two_class_cut(values)
    assert share_above(values, cut).tolist() == (values > cut).astype(float).tolist()
