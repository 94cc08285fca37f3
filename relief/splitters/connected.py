"""Instances as connected components."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from relief.ops.reclaim import partition
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import thing_regions


class ConnectedSplitter(Splitter):
    """Every 4-connected region of a thing category is an instance, if it is large enough.

    Args:
        min_area_px: Regions below this many pixels are no instances; pixels where splitting runs.
    """

    needs_depth = False

    def __init__(self, min_area_px: int) -> None:
        self.min_area_px = min_area_px

    def __call__(self, semantic: Tensor, depth: Tensor | None, thing_ids: Tensor) -> Tensor:
        """Splits the regions of the things; `depth` is not looked at.

        Args:
            semantic: (B, H, W) int64 cluster, class or group ids, -1 = ignore.
            depth: Anything.
            thing_ids: (K,) bool, true for the ids in `semantic` that are things.

        Returns:
            (B, H, W) int64: 0 = none, 1..N within each image, by falling area.
        """
        del depth
        images = [
            partition(regions, least_area_px=self.min_area_px).instances(self.min_area_px)
            for regions in thing_regions(semantic, thing_ids)
        ]
        stacked = np.stack(images) if images else np.zeros(tuple(semantic.shape), np.int64)
        return torch.from_numpy(stacked).to(semantic.device)
