import numpy as np
import pytest
from scipy import ndimage

from relief.ops.splitting.neighbour_graph import neighbour_edges
from relief.ops.splitting.reclaim import partition
from relief.ops.splitting.split_tree import edge_tree, gradient_tree, watershed_tree


@pytest.fixture
def drawn():
    """Two regions of blocks beside nothing, and a gradient with plateaus."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 3, (6, 10)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    gradient = ndimage.gaussian_filter(generator.random(blocks.shape), 1.5)
    return blocks, np.round(gradient, 2)


def same_parts(ours, theirs):
    """Whether two maps of numbers part the pixels alike."""
    pairs = set(zip(ours.reshape(-1).tolist(), theirs.reshape(-1).tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_cut_is_what_components_are_at_that_level(drawn):
    region, gradient = drawn
    tree = gradient_tree(region, gradient)
    for level in (0.0, 0.44, 0.48, 0.5, 0.53, 2.0):
        single = partition(region, gradient > level)
        assert same_parts(tree.cut(level), single.owner)
        if level not in (0.0, 2.0):
            assert len(single.area_px) > 3


def test_counts_answer_every_level_and_area_filter_at_once(drawn):
    region, gradient = drawn
    levels, areas = (0.0, 0.44, 0.48, 0.5, 0.53, 2.0), (1, 2, 10, 40, 5000)
    counts = gradient_tree(region, gradient).counts(levels, areas)
    single = [
        [int(partition(region, gradient > level).instances(area).max()) for area in areas]
        for level in levels
    ]
    assert counts.tolist() == single
    assert counts[:, -1].tolist() == [0] * len(levels)
    assert counts.max() > 5


def test_linkage_at_a_distance_is_what_its_short_edges_join(drawn):
    region, depth = drawn
    position, edges = neighbour_edges(region, depth, 6, 1.0, 0.01)
    tree = edge_tree(region, position, *edges)
    for distance in (0.005, 0.011, 0.02, 1.0):
        short = edges.length <= distance
        single = edge_tree(region, position, *(column[short] for column in edges)).cut(1.0)
        assert same_parts(tree.cut(distance), single)
    parts = [len(np.unique(tree.cut(distance))) for distance in (0.005, 0.011, 1.0)]
    assert parts[0] > parts[1] > parts[2] > 1


@pytest.mark.parametrize("by", ["volume", "dynamics", "area"])
def test_basins_merge_as_levels_rise_and_never_across_regions(drawn, by):
    region, gradient = drawn
    tree = watershed_tree(region, gradient, by)
    counts = [len(np.unique(tree.cut(level))) for level in (0.0, 0.1, 1.0, 10.0, 1e4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    assert same_parts(tree.cut(1e4), partition(region).owner)


def test_nothing_has_no_parts():
    nothing = np.zeros((4, 5), np.uint8)
    for tree in (
        gradient_tree(nothing, np.zeros((4, 5))),
        watershed_tree(nothing, np.zeros((4, 5)), "area"),
    ):
        assert not tree.cut(1.0).any()
        assert tree.counts((0.0, 1.0), (1, 2)).tolist() == [[0, 0], [0, 0]]
