"""The nearest neighbours of the pixels of regions, in the image plane and in depth at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_CLEARLY = 1 + 1e-9  # beyond what coordinates lose to rounding


class Edges(NamedTuple):
    """Directed edges of a graph of pixels, from a pixel to those among its nearest."""

    source: Ints  # (E,) index among the pixels
    target: Ints  # (E,)
    length: Floats  # (E,)


def neighbour_edges(
    region: NDArray[Any], depth: Floats, neighbours: int, max_distance: float, pitch: float
) -> tuple[Ints, Edges]:
    """Joins every pixel of a region to its nearest neighbours within the region.

    A pixel is the point (column * pitch, row * pitch, depth); of equally near ones those that come
    first in scan order count. Pixels around are looked at first; the k-d tree of a region is asked
    only about pixels whose neighbours may lie farther away.

    Args:
        region: (H, W) unsigned integers, 0 = in no region.
        depth: (H, W) finite.
        neighbours: k, at least 1.
        max_distance: Longer edges are left out.
        pitch: Distance of adjacent pixels.

    Returns:
        (N,) flat positions of the pixels of all regions in scan order, and their edges.
    """
    position = np.flatnonzero(region)
    offsets = _around(neighbours)
    reach = max(abs(side) for offset in offsets for side in offset)
    squared = _squared_lengths(region, depth, position, offsets, reach, pitch)
    number = np.full(region.size, -1, np.int64)
    number[position] = np.arange(len(position))
    farthest = np.partition(squared, neighbours - 1, axis=0)[neighbours - 1]
    outside = pitch * np.sqrt(_next_ring(offsets))
    unsure = (np.sqrt(farthest) >= outside) & (outside <= max_distance)
    nearest = _first_of_equals(squared, farthest, neighbours) & ~unsure
    nearest &= np.sqrt(squared) <= max_distance
    which, source = np.nonzero(nearest)
    flat = np.array([row * region.shape[1] + column for row, column in offsets], np.int64)
    target = number[position[source] + flat[which]]
    edges = Edges(source, target, np.sqrt(squared[which, source]))
    if not unsure.any():
        return position, edges
    parts = [edges]
    of_pixel = region.reshape(-1)[position]
    for value in np.unique(of_pixel[unsure]):
        members = np.flatnonzero(of_pixel == value)
        asked = np.flatnonzero((of_pixel == value) & unsure)
        parts.append(
            _tree_edges(position, depth, members, asked, neighbours, max_distance, pitch, region)
        )
    return position, Edges(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _around(neighbours: int) -> list[tuple[int, int]]:
    """(row, column) offsets of whole rings around a pixel, at least `neighbours` of them."""
    reach = int(np.ceil(np.sqrt(neighbours / 3))) + 2
    sides = range(-reach, reach + 1)
    ordered = sorted(
        ((row, column) for row in sides for column in sides if (row, column) != (0, 0)),
        key=lambda offset: offset[0] ** 2 + offset[1] ** 2,
    )
    last = ordered[neighbours - 1]
    radius = last[0] ** 2 + last[1] ** 2
    return sorted(offset for offset in ordered if offset[0] ** 2 + offset[1] ** 2 <= radius)


def _next_ring(offsets: list[tuple[int, int]]) -> int:
    """Least squared length of an offset that is not among the rings."""
    radius = max(row**2 + column**2 for row, column in offsets)
    side = int(np.sqrt(radius)) + 2
    lengths = {row**2 + column**2 for row in range(side) for column in range(side)}
    return min(length for length in lengths if length > radius)


def _squared_lengths(
    region: NDArray[Any],
    depth: Floats,
    position: Ints,
    offsets: list[tuple[int, int]],
    reach: int,
    pitch: float,
) -> Floats:
    """(M, N) squared distance to the pixel at each offset; infinite outside of the region."""
    width = region.shape[1]
    padded = np.pad(region, reach).reshape(-1)
    deep = np.pad(depth, reach).reshape(-1)
    row, column = np.divmod(position, width)
    centre = (row + reach) * (width + 2 * reach) + column + reach
    value, z = padded[centre], deep[centre]
    squared = np.empty((len(offsets), len(position)))
    for index, (down, right) in enumerate(offsets):
        at = centre + (down * (width + 2 * reach) + right)
        gap = deep[at] - z
        squared[index] = np.where(
            padded[at] == value, (down**2 + right**2) * pitch**2 + gap * gap, np.inf
        )
    return squared


def _first_of_equals(squared: Floats, farthest: Floats, neighbours: int) -> NDArray[np.bool_]:
    """(M, N) which candidates, in scan order, are among the `neighbours` least."""
    below = squared < farthest
    equal = (squared == farthest) & np.isfinite(squared)
    room = neighbours - below.sum(axis=0)
    if (equal.sum(axis=0) <= room).all():
        return below | equal
    return below | (equal & (np.cumsum(equal, axis=0) <= room))


def _tree_edges(
    position: Ints,
    depth: Floats,
    members: Ints,
    asked: Ints,
    neighbours: int,
    max_distance: float,
    pitch: float,
    region: NDArray[Any],
) -> Edges:
    """Edges of some pixels of one region, by its k-d tree."""
    width = region.shape[1]
    row, column = np.divmod(position[members], width)
    points = np.stack((row * pitch, column * pitch, depth.reshape(-1)[position[members]]), axis=1)
    tree = cKDTree(points)
    of_asked = points[np.searchsorted(members, asked)]
    wanted = min(neighbours + 1, len(members))  # the pixel itself comes with them
    sources, targets, lengths = [], [], []
    # The tree cuts among equally near ones as it likes: more are asked for until none is cut.
    left, spare = np.arange(len(asked)), 8
    while len(left):
        count = min(wanted + spare, len(members))
        length, found = tree.query(of_asked[left], k=np.arange(1, count + 1))
        whole = (length[:, wanted - 1] * _CLEARLY < length[:, -1]) | (count == len(members))
        whole |= length[:, wanted - 1] > max_distance * _CLEARLY
        source, target, reached = _nearest_in_order(
            asked[left[whole]], members[found[whole]], position, depth, pitch, neighbours
        )
        kept = reached <= max_distance
        sources.append(source[kept])
        targets.append(target[kept])
        lengths.append(reached[kept])
        left, spare = left[~whole], spare * 4
    return Edges(np.concatenate(sources), np.concatenate(targets), np.concatenate(lengths))


def _nearest_in_order(
    source: Ints, target: Ints, position: Ints, depth: Floats, pitch: float, neighbours: int
) -> tuple[Ints, Ints, Floats]:
    """Takes the nearest of (A, Q) candidates for each source; of equals those first in order."""
    # Whole offsets give equal lengths where coordinates would differ in their last bit.
    row, column = np.divmod(position, depth.shape[1])
    z = depth.reshape(-1)[position]
    down, right = row[target] - row[source][:, None], column[target] - column[source][:, None]
    gap = z[target] - z[source][:, None]
    length = np.sqrt((down**2 + right**2) * pitch**2 + gap * gap)
    length = np.where(target == source[:, None], np.inf, length)
    order = np.lexsort((target, length), axis=1)[:, :neighbours]
    target, length = np.take_along_axis(target, order, 1), np.take_along_axis(length, order, 1)
    real = np.isfinite(length)
    return np.broadcast_to(source[:, None], target.shape)[real], target[real], length[real]
