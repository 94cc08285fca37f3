"""Instances as components of thing regions cut along depth edges."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import Partition, partition
from relief.schema.observation import DEPTH
from relief.splitters.area_filtered import AreaFilteredSplitter, Edges


class DepthGradientSplitter(AreaFilteredSplitter):
    """Cuts thing regions where depth jumps, then lets the parts grow back over the edges.

    All numbers mean pixels where splitting runs.

    Args:
        gradient_threshold: An edge is a gradient magnitude (see `gradient_magnitude`) above this.
        min_area_px: Components below this many pixels are no instances.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far components take pixels back that the edges cost, as L1 distance.
        sharpening: Makes steps of soft edges first; `None` takes depth as it is, as published.

    Example:
        >>> import torch
        >>> from relief.schema.observation import Observation
        >>> depth = torch.tensor([0.2, 0.8]).repeat_interleave(16)  # one car behind another
        >>> maps = {"depth": depth.repeat(1, 1, 8, 1), "things": torch.tensor([True])}
        >>> observation = Observation(semantic=torch.zeros(1, 8, 32, dtype=torch.int64), **maps)
        >>> split = DepthGradientSplitter(gradient_threshold=0.2, min_area_px=10).split(observation)
        >>> split.instance[0, 4, [2, 30]].tolist()
        [1, 2]
    """

    needs = frozenset({DEPTH})

    def __init__(
        self,
        gradient_threshold: float,
        min_area_px: int,
        sigma: float = 1.0,
        dilation_px: int = 3,
        sharpening: ToggleSharpening | None = None,
    ) -> None:
        self.gradient_threshold = gradient_threshold
        self.min_area_px = min_area_px
        self.sigma = sigma
        self.dilation_px = dilation_px
        self.sharpening = sharpening

    def partition(self, regions: NDArray[Any], edges: Edges, least_area_px: int = 1) -> Partition:
        """Parts one image along its depth edges."""
        at_edge = edges(self.sigma, self.gradient_threshold, self.sharpening)
        return partition(regions, at_edge, self.dilation_px, least_area_px)
