"""Instances as components of thing regions cut along depth edges."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude
from relief.ops.reclaim import partition
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import thing_regions


class DepthGradientSplitter(Splitter):
    """Cuts thing regions where depth jumps, then lets the parts grow back over the edges.

    All numbers mean pixels where splitting runs.

    Args:
        gradient_threshold: An edge is a gradient magnitude (see `gradient_magnitude`) above this.
        min_area_px: Components below this many pixels are no instances.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far components take pixels back that the edges cost, as L1 distance.
    """

    needs_depth = True

    def __init__(
        self,
        gradient_threshold: float,
        min_area_px: int,
        sigma: float = 1.0,
        dilation_px: int = 3,
    ) -> None:
        self.gradient_threshold = gradient_threshold
        self.min_area_px = min_area_px
        self.sigma = sigma
        self.dilation_px = dilation_px

    def __call__(self, semantic: Tensor, depth: Tensor | None, thing_ids: Tensor) -> Tensor:
        """Splits the regions of the things.

        Args:
            semantic: (B, H, W) int64 cluster, class or group ids, -1 = ignore.
            depth: (B, 1, H, W) float32 or float64 in [0, 1], at the size of `semantic`.
            thing_ids: (K,) bool, true for the ids in `semantic` that are things.

        Returns:
            (B, H, W) int64: 0 = none, 1..N within each image, by falling area.

        Raises:
            ValueError: There is no depth, or it has another size.
        """
        if depth is None or depth.shape != (len(semantic), 1, *semantic.shape[1:]):
            shape = None if depth is None else tuple(depth.shape)
            msg = f"depth must be (B, 1, H, W) for a map {tuple(semantic.shape)}, got {shape}"
            raise ValueError(msg)
        gradient = gradient_magnitude(depth, self.sigma)
        edges = (gradient[:, 0] > self.gradient_threshold).cpu().numpy()
        images = [
            partition(regions, edge, self.dilation_px, self.min_area_px).instances(self.min_area_px)
            for regions, edge in zip(thing_regions(semantic, thing_ids), edges, strict=True)
        ]
        stacked = np.stack(images) if images else np.zeros(tuple(semantic.shape), np.int64)
        return torch.from_numpy(stacked).to(semantic.device)
