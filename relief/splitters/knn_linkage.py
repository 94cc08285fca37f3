"""Instances as what hangs together in the image plane and in depth: single linkage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from relief.ops.neighbour_graph import neighbour_edges
from relief.splitters.depth_sampled import DepthSampledSplitter


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

    Raises:
        ValueError: A number is out of its range.

    Example:
        >>> import torch
        >>> from relief.schema.observation import Observation
        >>> depth = torch.full((1, 1, 8, 32), 0.2)
        >>> depth[..., 16:] = 0.8  # one car behind another
        >>> observation = Observation(
        ...     semantic=torch.zeros(1, 8, 32, dtype=torch.int64),
        ...     things=torch.tensor([True]),
        ...     depth=depth,
        ... )
        >>> split = KnnLinkageSplitter(10, max_distance=0.1, min_area_px=10).split(observation)
        >>> split.instance[0, 4, [2, 30]].tolist()
        [1, 2]
    """

    def __init__(
        self, neighbours: int, max_distance: float, min_area_px: int, step_px: int = 1
    ) -> None:
        if neighbours < 1 or step_px < 1 or not max_distance > 0:
            msg = (
                "Expected `neighbours` and `step_px` of at least 1 and `max_distance` above 0, "
                f"got {neighbours}, {step_px} and {max_distance}."
            )
            raise ValueError(msg)
        self.neighbours, self.max_distance = neighbours, max_distance
        self.min_area_px, self.step_px = min_area_px, step_px

    def parts(self, region: NDArray[Any], depth: NDArray[np.float64]) -> NDArray[np.int64]:
        """Components of the neighbour graph; see `DepthSampledSplitter.parts`."""
        step = self.step_px
        sampled = region[::step, ::step]
        position, component = self._components(
            sampled, depth[::step, ::step], step / max(region.shape)
        )
        parts = np.zeros(sampled.shape, np.int64)
        parts.reshape(-1)[position] = component + 1
        return parts

    def _components(
        self, region: NDArray[Any], depth: NDArray[np.float64], pitch: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Flat positions (N,) of the pixels of regions, and their components (N,) from 0."""
        position, edges = neighbour_edges(region, depth, self.neighbours, self.max_distance, pitch)
        joined = np.ones(len(edges.source), np.bool_)
        graph = csr_matrix((joined, (edges.source, edges.target)), shape=(len(position),) * 2)
        _, component = connected_components(graph, directed=False)
        return position, component.astype(np.int64)
