"""Instances as what hangs together in the image plane and in depth: single linkage."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from relief.ops.neighbour_graph import neighbour_edges
from relief.schema.observation import DEPTH, Observation, Split
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import (
    by_falling_area,
    enlarged_within,
    instances_of,
    thing_regions,
)


class KnnLinkageSplitter(Splitter):
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
    """

    needs = frozenset({DEPTH})

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

    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things into instances by falling area.

        Equal areas: the lower id first, then scan order.

        Args:
            observation: Of B images, with depth.

        Raises:
            ValueError: There is no depth.
        """
        observation.require(self.needs, type(self).__name__)
        depths = cast(Tensor, observation.depth)[:, 0].double().cpu().numpy()
        regions = thing_regions(observation.semantic, observation.things)
        return instances_of(
            observation, [self._parted(*pair) for pair in zip(regions, depths, strict=True)]
        )

    def _parted(self, region: NDArray[Any], depth: NDArray[np.float64]) -> NDArray[np.int64]:
        step = self.step_px
        position, component, count = self._components(
            region[::step, ::step], depth[::step, ::step], step / max(region.shape)
        )
        area = np.bincount(component, minlength=count) * step**2
        kept = area >= max(self.min_area_px, 1)
        small = np.zeros(region[::step, ::step].shape, np.int64)
        small.reshape(-1)[position] = np.where(kept, np.cumsum(kept), 0)[component]
        return by_falling_area(enlarged_within(small, region, step), region)

    def _components(
        self, region: NDArray[Any], depth: NDArray[np.float64], pitch: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Flat positions (N,) of the pixels of regions, their components (N,) and the number."""
        position, edges = neighbour_edges(region, depth, self.neighbours, self.max_distance, pitch)
        joined = np.ones(len(edges.source), np.bool_)
        graph = csr_matrix((joined, (edges.source, edges.target)), shape=(len(position),) * 2)
        count, component = connected_components(graph, directed=False)
        return position, component.astype(np.int64), int(count)
