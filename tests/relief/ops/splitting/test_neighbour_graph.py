import numpy as np
import pytest

from relief.ops.splitting.neighbour_graph import neighbour_edges


def brute_force(region, depth, neighbours, max_distance, pitch):
    """Every pixel against every other, in scan order."""
    row, column = np.nonzero(region)
    edges = set()
    for i in range(len(row)):
        same = (region[row, column] == region[row[i], column[i]]) & (np.arange(len(row)) != i)
        flat = (row - row[i]) ** 2 + (column - column[i]) ** 2
        length = np.sqrt(flat * pitch**2 + (depth[row, column] - depth[row[i], column[i]]) ** 2)
        length[~same] = np.inf
        for j in np.argsort(length, kind="stable")[:neighbours]:
            if length[j] <= max_distance:
                edges.add((i, int(j)))
    return edges


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("max_distance", [0.07, 0.2, 5.0])
def test_edges_are_those_of_every_pixel_against_every_other(seed, max_distance):
    generator = np.random.default_rng(seed)
    height, width = generator.integers(3, 14, 2)
    region = generator.integers(0, 3, (height, width)).astype(np.uint8)
    depth = generator.random((height, width)) * generator.choice([0.0, 0.1, 1.0])
    neighbours, pitch = int(generator.integers(1, 15)), 1 / max(height, width)
    position, edges = neighbour_edges(region, depth, neighbours, max_distance, pitch)
    assert position.tolist() == np.flatnonzero(region).tolist()
    pairs = list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == brute_force(region, depth, neighbours, max_distance, pitch)


def test_no_region_has_no_edges():
    position, edges = neighbour_edges(np.zeros((3, 4), np.uint8), np.zeros((3, 4)), 5, 1.0, 0.1)
    assert len(position) == len(edges.source) == 0
