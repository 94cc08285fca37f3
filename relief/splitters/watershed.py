"""Instances as catchment basins of the depth gradient, merged up to one level of a hierarchy."""

from __future__ import annotations

from typing import Any, Literal

import higra
import numpy as np
from numpy.typing import NDArray

from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.splitting.depth_softness import edge_softness_px
from relief.schema.ranges import check_at_least
from relief.splitters.depth_sampled import DepthSampledSplitter, Parts

Criterion = Literal["volume", "dynamics", "area"]
_BORDER = 1e6  # basins of different regions meet above every gradient


class WatershedSplitter(DepthSampledSplitter):
    """Cuts a hierarchical watershed of the depth gradient at one level, within each region.

    Basins merge in the order of what is lost by it: the volume, depth or area of the smaller one
    (Cousty and Najman, "Incremental algorithm for hierarchical minimum spanning forests and
    saliency of watershed cuts", 2011). The library is higra.

    Args:
        level: Basins whose measure is below it are merged: gradient times pixels for `volume`,
            gradient for `dynamics`, pixels for `area`; pixels of the smaller map where `step_px`
            is above 1.
        min_area_px: Smaller objects are no instances; pixels where splitting runs.
        by: The measure.
        sigma: Smoothing of the depth before its gradient, in pixels; `None` takes the softness of
            the image's own edges (`edge_softness_px`), at least 1.
        step_px: Look at every n-th pixel of every n-th row, as `KnnLinkageSplitter`.

    Raises:
        UsageError: A number is out of its range.

    Example:
        >>> depth = np.full((8, 32), 0.2)
        >>> depth[:, 16:] = 0.8  # one car behind another
        >>> one_region = np.ones((8, 32), dtype=np.int64)
        >>> parts = WatershedSplitter(level=1, min_area_px=10, step_px=1).parts(one_region, depth)
        >>> np.unique(parts.number[4, [2, 30]]).size
        2
    """

    def __init__(
        self,
        level: float,
        min_area_px: int,
        by: Criterion = "volume",
        sigma: float | None = None,
        step_px: int = 2,
    ) -> None:
        check_at_least(1, step_px=step_px)
        check_at_least(0, level=level, sigma=sigma)
        self.level, self.min_area_px, self.by = level, min_area_px, by
        self.sigma, self.step_px = sigma, step_px

    def parts(self, region: NDArray[Any], depth: NDArray[np.float64]) -> Parts:
        """Basins below the cut; see `DepthSampledSplitter.parts`."""
        sigma = max(1.0, edge_softness_px(depth)) if self.sigma is None else self.sigma
        step = self.step_px
        gradient = gradient_magnitude_cpu(depth, sigma)[::step, ::step]
        sampled = region[::step, ::step].astype(np.int64)
        return Parts(self._basins(np.ascontiguousarray(gradient), sampled))

    def _basins(
        self, gradient: NDArray[np.float64], region: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """(h, w) numbers of the merged basins, 0 outside the regions."""
        if not region.any():
            return np.zeros(region.shape, np.int64)
        graph = higra.get_4_adjacency_graph(region.shape)
        source, target = graph.edge_list()
        ids = region.reshape(-1)
        weights = higra.weight_graph(graph, gradient, higra.WeightFunction.max)
        weights[ids[source] != ids[target]] = _BORDER
        hierarchy = getattr(higra, f"watershed_hierarchy_by_{self.by}")
        tree, altitudes = hierarchy(graph, weights)
        merged = higra.labelisation_horizontal_cut_from_threshold(tree, altitudes, self.level)
        pair = merged.astype(np.int64) * (int(ids.max()) + 1) + region  # never across regions
        _, numbered = np.unique(pair, return_inverse=True)
        return np.where(region > 0, numbered.reshape(region.shape) + 1, 0)
