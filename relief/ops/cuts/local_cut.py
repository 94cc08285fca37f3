"""LocalCut: the object that holds a point, cut out of its foreground in the point cloud of depth.

Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024; what
is not published there follows from measurements and is an option where it is a choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow
from scipy.spatial import cKDTree
from torch import Tensor

from relief.ops.cuts.spatial_importance import stretched

CutRule = Literal["min_cut", "component"]
Capacity = Literal["falling", "distance"]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CAPACITY = 10_000
_COLLAPSED_SHARE = 0.01  # of all points: a source side of fewer is no object


def point_cloud(depth: Tensor, foreground: Tensor, background_depth: float = 1.0) -> Tensor:
    """Patches as points: their place in shares of the longer side, and their depth.

    Args:
        depth: (h, w) float, stretched to [0, 1] first; 0 near.
        foreground: (h, w) bool.
        background_depth: Depth of all points outside the foreground: 1 is the far end.

    Returns:
        (N, 3) float64: column, row, depth.
    """
    height, width = depth.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    far = torch.full((height, width), background_depth, dtype=torch.float64)
    z = torch.where(foreground.cpu(), stretched(depth).cpu(), far)
    longer = max(height, width)
    points = torch.stack((columns.double() / longer, rows.double() / longer, z), dim=-1)
    return points.reshape(-1, 3)


def local_cut(
    points: Tensor,
    foreground: Tensor,
    source: int,
    sink: int | None,
    neighbours: int = 10,
    max_distance: float = 0.115,
    cut: CutRule = "min_cut",
    *,
    capacity: Capacity = "falling",
    background: bool = True,
) -> Tensor:
    """Cuts one object out of the foreground.

    The graph joins each point with its nearest neighbours, up to a distance. Where source and sink
    are apart in it, the object is the component of the source. Where they are joined, it is the
    smallest source side of a minimal cut; a side of at most 1 % of the points is none, and the
    component of the source within the foreground takes its place.

    Args:
        points: (N, 3) float, as `point_cloud`.
        foreground: (h, w) bool.
        source: Flat index of a point of the object.
        sink: Flat index of a point of the background; `None`: nothing to be cut from.
        neighbours: Of each point.
        max_distance: Longer edges are left out.
        cut: `min_cut` as published; `component` is always the component within the foreground.
        capacity: Of an edge: `falling` with its length, or the `distance` itself, as the text says.
        background: `False` leaves points outside the foreground out of the graph.

    Returns:
        (h, w) bool within the foreground.
    """
    graph = neighbour_graph(points, foreground, neighbours, max_distance, background=background)
    mask = graph.cut(source, sink, max_distance, cut, capacity)
    return torch.from_numpy(mask.reshape(foreground.shape))


def spatial_confidence(
    points: Tensor,
    foreground: Tensor,
    source: int,
    sink: int | None,
    neighbours: int = 10,
    min_distance: float = 0.0575,
    max_distance: float = 0.115,
    cuts: int = 6,
    *,
    cut: CutRule = "min_cut",
    capacity: Capacity = "falling",
    background: bool = True,
) -> Tensor:
    """In how many cuts at rising distances a point belongs to the object.

    Args:
        points: As `local_cut`.
        foreground: As `local_cut`.
        source: As `local_cut`.
        sink: As `local_cut`.
        neighbours: As `local_cut`.
        min_distance: Of the first cut.
        max_distance: Of the last cut, which is the object.
        cuts: How many, evenly spaced, both ends included; 1 is the last one alone.
        cut: As `local_cut`.
        capacity: As `local_cut`.
        background: As `local_cut`.

    Returns:
        (h, w) float64 in [0, 1], multiples of 1 / cuts.
    """
    graph = neighbour_graph(points, foreground, neighbours, max_distance, background=background)
    distances = cut_distances(min_distance, max_distance, cuts)
    masks = [graph.cut(source, sink, tau, cut, capacity) for tau in distances]
    return torch.from_numpy(np.mean(masks, axis=0).reshape(foreground.shape))


def cut_distances(min_distance: float, max_distance: float, cuts: int) -> list[float]:
    """The distances of `spatial_confidence`, rising; the last one is that of the object."""
    if cuts == 1:
        return [max_distance]
    return [float(tau) for tau in np.linspace(min_distance, max_distance, cuts)]


@dataclass(frozen=True)
class NeighbourGraph:
    """Edges (source < target) of a symmetric neighbour graph, each once, and the foreground."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    length: Floats
    foreground: Mask  # (N,)

    def cut(
        self,
        source: int,
        sink: int | None,
        max_distance: float,
        rule: CutRule = "min_cut",
        capacity: Capacity = "falling",
    ) -> Mask:
        """(N,) bool: the object that holds `source`, see `local_cut`."""
        near = self.within(max_distance)
        if not self.foreground[source]:
            return np.zeros(len(self.foreground), np.bool_)
        if rule == "component":
            return near.inside().component(source)
        joined = near.component(source)
        if sink is None or not joined[sink]:
            return joined & self.foreground
        side = _source_side(near, source, sink, max_distance, capacity) & self.foreground
        if side.sum() <= _COLLAPSED_SHARE * len(side):
            return near.inside().component(source)
        return side

    def within(self, max_distance: float) -> NeighbourGraph:
        """Only the edges up to a length."""
        kept = self.length <= max_distance
        return self._of(kept)

    def inside(self) -> NeighbourGraph:
        """Only the edges between points of the foreground."""
        return self._of(self.foreground[self.source] & self.foreground[self.target])

    def _of(self, kept: Mask) -> NeighbourGraph:
        return NeighbourGraph(
            self.source[kept], self.target[kept], self.length[kept], self.foreground
        )

    def component(self, point: int) -> Mask:
        """(N,) points that hang together with one."""
        size = len(self.foreground)
        joined = np.ones(len(self.source), np.bool_)
        matrix = csr_matrix((joined, (self.source, self.target)), shape=(size, size))
        _, label = connected_components(matrix, directed=False)
        return np.asarray(label == label[point])


def neighbour_graph(
    points: Tensor,
    foreground: Tensor,
    neighbours: int,
    max_distance: float,
    *,
    background: bool,
) -> NeighbourGraph:
    """Joins points (N, 3) with their nearest neighbours; see `local_cut`."""
    coordinates = points.detach().cpu().double().numpy()
    inside = foreground.cpu().numpy().reshape(-1).astype(np.bool_)
    kept = np.arange(len(inside)) if background else np.flatnonzero(inside)
    nothing = np.zeros(0, np.int64)
    if len(kept) < 2:
        return NeighbourGraph(nothing, nothing, np.zeros(0), inside)
    asked = min(neighbours + 1, len(kept))  # a point is its own nearest neighbour
    lengths, found = cKDTree(coordinates[kept]).query(
        coordinates[kept], k=asked, distance_upper_bound=np.nextafter(max_distance, np.inf)
    )
    start = np.repeat(np.arange(len(kept)), asked)
    end, length = found.reshape(-1), lengths.reshape(-1)
    real = (end < len(kept)) & (end != start)
    low = kept[np.minimum(start[real], end[real])]
    high = kept[np.maximum(start[real], end[real])]
    pair, first = np.unique(low * len(inside) + high, return_index=True)
    return NeighbourGraph(pair // len(inside), pair % len(inside), length[real][first], inside)


def _source_side(
    graph: NeighbourGraph, source: int, sink: int, max_distance: float, capacity: Capacity
) -> Mask:
    """(N,) the smallest source side of a minimal cut: what the residual graph still reaches."""
    share = graph.length / max_distance
    weight = np.maximum(1, np.rint(_CAPACITY * (1 - share if capacity == "falling" else share)))
    both = np.concatenate((weight, weight)).astype(np.int32)
    ends = (
        np.concatenate((graph.source, graph.target)),
        np.concatenate((graph.target, graph.source)),
    )
    size = len(graph.foreground)
    capacities = csr_matrix((both, ends), shape=(size, size))
    residual = capacities - maximum_flow(capacities, source, sink).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = np.zeros(size, np.bool_)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    return reached
