import numpy as np
import pytest
import torch

from relief.ops.cuts.local_cut import (
    NeighbourGraph,
    local_cut,
    point_cloud,
    spatial_confidence,
)
from tests.relief.ops.cuts.golden import scene, scenes


def asked(golden):
    return (
        golden["points"],
        golden["foreground"],
        int(golden["source"]),
        int(golden["sink"]),
        int(golden["neighbours"]),
    )


@pytest.mark.parametrize("name", scenes("l"))
def test_cut_and_confidence_are_the_reference(name):
    golden = scene("l", name)
    tau, least = float(golden["max_distance"]), float(golden["min_distance"])
    assert torch.equal(local_cut(*asked(golden), tau), golden["mask"])
    sure = spatial_confidence(*asked(golden), least, tau, int(golden["cuts"]))
    torch.testing.assert_close(sure, golden["confidence"], atol=1e-6, rtol=0)
    if not golden["case"].any():  # apart at every distance: nested, and above 0 on the object
        assert torch.equal(sure > 0, golden["mask"])


def test_one_cut_is_the_object_itself():
    golden = scene("l", "confidence_in_steps")
    sure = spatial_confidence(*asked(golden), cuts=1)
    assert torch.equal(sure > 0, golden["mask"])
    assert set(sure.unique().tolist()) == {0.0, 1.0}


def test_points_are_shares_of_the_longer_side_and_the_background_is_far():
    depth = torch.tensor([[2.0, 3.0, 4.0], [2.0, 2.0, 2.0]])
    foreground = torch.tensor([[True, True, False], [False, True, True]])
    points = point_cloud(depth, foreground)
    assert points.dtype == torch.float64
    third = 1 / 3
    expected = [
        [0, 0, 0], [third, 0, 0.5], [2 * third, 0, 1],
        [0, third, 1], [third, third, 0], [2 * third, third, 0],
    ]  # fmt: skip
    np.testing.assert_allclose(points, expected)
    assert point_cloud(depth, foreground, 100.0)[2, 2] == 100


def two_planes(gap):
    """A foreground of 6x12 in two depths that touch, all around them background."""
    depth = torch.full((10, 16), 1.0)
    foreground = torch.zeros(10, 16, dtype=torch.bool)
    foreground[2:8, 2:14] = True
    depth[2:8, 2:8], depth[2:8, 8:14] = 0.0, gap
    return depth, foreground


def test_depth_parts_what_touches_and_neighbours_join_what_does_not():
    depth, foreground = two_planes(0.4)
    points = point_cloud(depth, foreground)
    left = torch.zeros_like(foreground)
    left[2:8, 2:8] = True
    source, sink = 3 * 16 + 3, 0
    for rule in ("min_cut", "component"):
        assert torch.equal(local_cut(points, foreground, source, sink, cut=rule), left)
    joined = local_cut(points, foreground, source, None, neighbours=40, max_distance=0.5)
    assert torch.equal(joined, foreground)
    alone = local_cut(points, foreground, source, None, max_distance=0.01)
    assert int(alone.sum()) == 1


def test_edges_as_long_as_the_distance_are_kept():
    depth, foreground = two_planes(0.0)
    points = point_cloud(depth, foreground)
    pitch = 1 / 16
    whole = local_cut(points, foreground, 3 * 16 + 3, None, 4, pitch)
    assert torch.equal(whole, foreground)
    shorter = local_cut(points, foreground, 3 * 16 + 3, None, 4, np.nextafter(pitch, 0))
    assert int(shorter.sum()) == 1


def test_what_joins_the_background_is_cut_or_falls_back_to_its_component():
    golden = scene("l", "joined_source_alone")
    points, foreground, source, sink, neighbours = asked(golden)
    component = local_cut(points, foreground, source, sink, neighbours, 0.115, "component")
    assert torch.equal(local_cut(points, foreground, source, sink, neighbours), component)
    neck = scene("l", "joined_by_neck")
    cut = local_cut(*asked(neck))
    assert not torch.equal(cut, local_cut(*asked(neck), 0.115, "component"))
    without = local_cut(*asked(neck), background=False)
    assert torch.equal(without, local_cut(*asked(neck), 0.115, "component", background=False))
    literal = local_cut(*asked(neck), capacity="distance")
    assert literal.shape == cut.shape


def test_a_source_outside_the_foreground_has_no_object():
    depth, foreground = two_planes(0.4)
    points = point_cloud(depth, foreground)
    assert not local_cut(points, foreground, 0, None).any()
    nothing = torch.zeros_like(foreground)
    assert not local_cut(points, nothing, 40, None, background=False).any()


def graph(edges, foreground):
    """A graph of 100 points from (source, target, length) and the points of the foreground."""
    source, target, length = zip(*edges, strict=True)
    inside = np.zeros(100, bool)
    inside[foreground] = True
    return NeighbourGraph(np.array(source), np.array(target), np.array(length), inside)


def points_of(mask):
    return np.flatnonzero(mask).tolist()


def test_one_point_in_a_hundred_is_a_collapsed_side_and_two_are_none():
    edges = [(0, 1, 0.09), (1, 99, 0.01)]
    assert points_of(graph(edges, [0, 1]).cut(0, 99, 0.1)) == [0, 1]
    wider = [(0, 1, 0.01), (1, 2, 0.09), (2, 99, 0.01)]
    assert points_of(graph(wider, [0, 1, 2]).cut(0, 99, 0.1)) == [0, 1]


def test_points_of_the_background_belong_to_no_object():
    assert points_of(graph([(0, 1, 0.05), (1, 2, 0.05)], [0, 2]).cut(0, 99, 0.1)) == [0, 2]


def test_the_longest_edges_hold_a_little():
    edges = [(0, 1, 0.1), (0, 2, 0.05), (0, 99, 0.05)]
    assert points_of(graph(edges, [0, 1, 2]).cut(0, 99, 0.1)) == [0, 1, 2]


def test_a_point_is_no_neighbour_of_its_own():
    points = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0.3, 0, 0], [0.31, 0, 0]])
    line = torch.ones(1, 4, dtype=torch.bool)
    assert local_cut(points, line, 0, None, neighbours=1, max_distance=0.5).tolist() == [
        [True, True, False, False]
    ]
