"""The parts of an image's regions at every level at once: one tree in place of a run for each.

What hangs together at a level still does so at every higher one. So all levels are one tree, made
once: its leaves are pixels, a node is a part that grows together at the node's level. Every
(level, area filter) is then a look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import higra
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

Criterion = Literal["volume", "dynamics", "area"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_NEVER = np.inf  # the level at which different regions join


@dataclass(frozen=True)
class SplitTree:
    """All parts of the regions of one image, nested.

    Nodes are numbered from the leaves up: 0..N-1 are pixels, a parent comes after its children.

    Attributes:
        shape: (height, width) of the image.
        position: (N,) flat positions of the pixels in regions.
        parent: (M,) parent of each node; the last, the root, is its own.
        level: (M,) the level from which a node is a part, never above that of its parent; of a
            pixel the level from which it counts; infinite where different regions join.
    """

    shape: tuple[int, int]
    position: Ints
    parent: Ints
    level: Floats

    @cached_property
    def area_px(self) -> Ints:
        """(M,) pixels of each node."""
        each = np.ones(len(self.position))
        if not len(each):
            return np.zeros(0, np.int64)
        area = higra.accumulate_sequential(self.higra, each, higra.Accumulators.sum)
        return np.asarray(area).astype(np.int64)

    @cached_property
    def until(self) -> Floats:
        """(M,) the level at which a node becomes part of its parent; infinite for a root."""
        until = self.level[self.parent]
        until[-1:] = _NEVER
        return until

    def cut(self, level: float) -> Ints:
        """Numbers the parts at a level.

        Returns:
            (h, w) 0 where nothing is a part, else a number of the part, in no order.
        """
        part = np.zeros(self.shape, np.int64)
        here = (self.level <= level) & (level < self.until)
        part.reshape(-1)[self.position] = self.nearest(here) + 1
        return part

    def nearest(self, marked: NDArray[np.bool_]) -> Ints:
        """(N,) the lowest marked node that each pixel lies in, -1 = in none.

        Args:
            marked: (M,) true for some nodes.
        """
        if not len(self.parent):
            return np.zeros(0, np.int64)
        node = np.where(marked, np.arange(len(marked)), -1).astype(np.float64)
        inherits = ~marked
        inherits[-1] = False  # nothing lies above the root
        found = higra.propagate_sequential(self.higra, node, inherits)
        return np.asarray(found[: len(self.position)]).astype(np.int64)

    def counts(self, levels: Sequence[float], min_areas_px: Sequence[int]) -> Ints:
        """Counts the parts of every level under every area filter.

        Args:
            levels: Rising.
            min_areas_px: Rising; smaller parts do not count.

        Returns:
            (len(levels), len(min_areas_px)).
        """
        passed = np.searchsorted(np.asarray(min_areas_px), self.area_px, side="right")
        begins = np.searchsorted(np.asarray(levels, np.float64), self.level, side="left")
        ends = np.searchsorted(np.asarray(levels, np.float64), self.until, side="left")
        width = len(min_areas_px) + 1
        size = (len(levels) + 1) * width
        change = np.bincount(begins * width + passed, minlength=size).astype(np.int64)
        change -= np.bincount(ends * width + passed, minlength=size)
        alive = change.reshape(-1, width).cumsum(axis=0)[:-1]  # by how many filters they pass
        return np.asarray(alive[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:])

    @cached_property
    def higra(self) -> Any:
        """The tree in the words of higra, for what runs along it."""
        return higra.Tree(self.parent)


def gradient_tree(region: NDArray[Any], gradient: Floats) -> SplitTree:
    """The tree of 4-connected parts whose gradient is at most a level.

    Args:
        region: (h, w) unsigned integers, 0 = in no region; parts do not cross regions.
        gradient: (h, w), see `relief.ops.depth_edges`.
    """
    position, source, target = _neighbours(region)
    of_pixel = gradient.reshape(-1)[position]
    return edge_tree(
        region, position, source, target, np.maximum(of_pixel[source], of_pixel[target]), of_pixel
    )


def watershed_tree(region: NDArray[Any], gradient: Floats, by: Criterion) -> SplitTree:
    """The tree of catchment basins that merge in the order of what is lost by it.

    Cousty and Najman, "Incremental algorithm for hierarchical minimum spanning forests and saliency
    of watershed cuts", 2011.

    Args:
        region: (h, w) unsigned integers, 0 = in no region.
        gradient: (h, w).
        by: The measure of the smaller basin that levels are of: gradient times pixels, gradient,
            or pixels.
    """
    position, source, target = _neighbours(region)
    if not len(position):
        return edge_tree(region, position, source, target, np.zeros(0))
    of_pixel = gradient.reshape(-1)[position]
    weight = np.maximum(of_pixel[source], of_pixel[target])
    bridges = _bridges(_components(len(position), source, target))
    above = np.full(len(bridges[0]), 1e6)  # above every gradient
    graph = _graph(len(position), *bridges, source, target)
    hierarchy = getattr(higra, f"watershed_hierarchy_by_{by}")
    tree, levels = hierarchy(graph, np.concatenate((above, weight)))
    merged_at = higra.saliency(tree, levels)[
        len(above) :
    ]  # a small basin may join its bridge first
    return edge_tree(region, position, source, target, np.asarray(merged_at, np.float64))


def edge_tree(
    region: NDArray[Any],
    position: Ints,
    source: Ints,
    target: Ints,
    length: Floats,
    first: Floats | None = None,
) -> SplitTree:
    """The tree of what edges join that are no longer than a level: single linkage.

    Args:
        region: (h, w), for the shape.
        position: (N,) flat positions of the pixels.
        source: (E,) indices among the pixels; an edge stays within a region.
        target: (E,) the same.
        length: (E,) of the edges.
        first: (N,) level from which each pixel counts; 0 without.
    """
    if not len(position):
        return SplitTree(_shape(region), position, np.zeros(0, np.int64), np.zeros(0))
    bridges = _bridges(_components(len(position), source, target))
    graph = _graph(len(position), *bridges, source, target)
    never = np.full(len(bridges[0]), _NEVER)
    tree, levels = higra.bpt_canonical(graph, np.concatenate((never, length)))
    level = np.array(levels, np.float64)
    if first is not None:
        level[: len(position)] = first
    return SplitTree(_shape(region), position, _parents(tree), level)


def _neighbours(region: NDArray[Any]) -> tuple[Ints, Ints, Ints]:
    """Pixels of regions in scan order, and the pairs of 4-neighbours within one region."""
    position = np.flatnonzero(region)
    number = np.zeros(region.shape, np.int64)
    number.reshape(-1)[position] = np.arange(len(position))
    pairs = []
    for low, high in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        joined = (region[low] == region[high]) & (region[low] > 0)
        pairs.append((number[low][joined], number[high][joined]))
    sources, targets = zip(*pairs, strict=True)
    return position, np.concatenate(sources), np.concatenate(targets)


def _components(count: int, source: Ints, target: Ints) -> Ints:
    """(N,) which pixels hang together at the highest level."""
    joined = csr_matrix((np.ones(len(source), np.bool_), (source, target)), shape=(count, count))
    return np.asarray(connected_components(joined, directed=False)[1]).astype(np.int64)


def _bridges(component: Ints) -> tuple[Ints, Ints]:
    """Pairs that join all components into one: higra takes connected graphs only."""
    first = np.unique(component, return_index=True)[1].astype(np.int64)
    return first[:-1], first[1:]


def _graph(count: int, *ends: Ints) -> Any:
    """A graph of edges given as bridge sources, bridge targets, sources and targets."""
    graph = higra.UndirectedGraph(count)
    graph.add_edges(np.concatenate(ends[::2]), np.concatenate(ends[1::2]))
    return graph


def _parents(tree: Any) -> Ints:
    return np.asarray(tree.parents()).astype(np.int64)


def _shape(region: NDArray[Any]) -> tuple[int, int]:
    return region.shape[0], region.shape[1]
