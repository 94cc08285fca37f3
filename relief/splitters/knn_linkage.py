"""Instances as what hangs together in the image plane and in depth: single linkage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from relief.ops.cuts.local_cut import cut_distances
from relief.ops.splitting.neighbour_graph import Edges, neighbour_edges
from relief.schema.ranges import check_at_least
from relief.splitters.depth_sampled import DepthSampledSplitter, Parts


class KnnLinkageSplitter(DepthSampledSplitter):
    """Joins every pixel of a region to its nearest neighbours in (x, y, depth).

    Sides are measured in shares of the image's longer one, so that settings keep their meaning at
    every size. What hangs together is an instance if it is large enough. CutS3D's cut in the point
    cloud comes to this where every object stands free of the background (Sick et al., "CutS3D:
    Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024).

    Args:
        neighbours: Nearest neighbours of a pixel that it may be joined to.
        max_distance: Longer joints are left out; a share of the longer side.
        min_area_px: Smaller components are no instances; pixels where splitting runs.
        step_px: Look at every n-th pixel of every n-th row; the others follow the one of their
            block, or the next of the same region.
        confidence_cuts: At how many distances, evenly from half of `max_distance` up to it, a pixel
            is asked whether it still hangs together with the pixel of median depth of its
            instance: its confidence is the share of those where it does, 0 outside of instances.
            0: the splitter does not say how sure it is.

    Raises:
        ValueError: A number is out of its range.

    Example:
        >>> import torch
        >>> from relief.schema.observation import Observation
        >>> depth = torch.tensor([0.2, 0.8]).repeat_interleave(16)  # one car behind another
        >>> maps = {"depth": depth.repeat(1, 1, 8, 1), "things": torch.tensor([True])}
        >>> observation = Observation(semantic=torch.zeros(1, 8, 32, dtype=torch.int64), **maps)
        >>> split = KnnLinkageSplitter(10, max_distance=0.1, min_area_px=10).split(observation)
        >>> split.instance[0, 4, [2, 30]].tolist()
        [1, 2]
    """

    def __init__(
        self,
        neighbours: int,
        max_distance: float,
        min_area_px: int,
        step_px: int = 1,
        confidence_cuts: int = 0,
    ) -> None:
        if neighbours < 1 or step_px < 1 or not max_distance > 0:
            msg = (
                "Expected `neighbours` and `step_px` of at least 1 and `max_distance` above 0, "
                f"got {neighbours}, {step_px} and {max_distance}."
            )
            raise ValueError(msg)
        check_at_least(0, confidence_cuts=confidence_cuts)
        self.neighbours, self.max_distance = neighbours, max_distance
        self.min_area_px, self.step_px = min_area_px, step_px
        self.confidence_cuts, self.gives_confidence = confidence_cuts, confidence_cuts > 0

    def parts(self, region: NDArray[Any], depth: NDArray[np.float64]) -> Parts:
        """Components of the neighbour graph; see `DepthSampledSplitter.parts`."""
        step = self.step_px
        sampled, deep = region[::step, ::step], depth[::step, ::step]
        pitch = step / max(region.shape)
        position, edges = neighbour_edges(sampled, deep, self.neighbours, self.max_distance, pitch)
        component = _components(edges, len(position), self.max_distance)
        number = np.zeros(sampled.shape, np.int64)
        number.reshape(-1)[position] = component + 1
        if not self.gives_confidence:
            return Parts(number)
        seed = _median_pixels(component, deep.reshape(-1)[position])
        confidence = np.zeros(sampled.shape, np.float32)
        confidence.reshape(-1)[position] = self._joined_shares(edges, component, seed)
        return Parts(number, confidence)

    def _joined_shares(
        self, edges: Edges, component: NDArray[np.int64], seed: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(N,) the share of distances at which a pixel hangs together with its seed."""
        cuts = self.confidence_cuts
        distances = cut_distances(self.max_distance / 2, self.max_distance, cuts)
        joined = np.zeros(len(component))
        for distance in distances:
            part = _components(edges, len(component), distance)
            joined += part == part[seed[component]]
        return joined / cuts


def _components(edges: Edges, count: int, max_distance: float) -> NDArray[np.int64]:
    """(count,) numbers from 0 of what hangs together by edges up to a length."""
    short = edges.length <= max_distance
    joined = np.ones(int(short.sum()), np.bool_)
    ends = (edges.source[short], edges.target[short])
    graph = csr_matrix((joined, ends), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return np.asarray(component, dtype=np.int64)


def _median_pixels(component: NDArray[np.int64], depth: NDArray[np.float64]) -> NDArray[np.int64]:
    """(C,) the pixel of median depth of each component; of an even number the nearer one."""
    order = np.lexsort((depth, component))
    size = np.bincount(component)
    first = np.cumsum(size) - size
    return order[first + (size - 1) // 2]
