"""Instances as components of thing regions cut along depth edges."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude
from relief.ops.reclaim import partition
from relief.schema.observation import DEPTH, Observation, Split
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import instances_of, thing_regions


class DepthGradientSplitter(Splitter):
    """Cuts thing regions where depth jumps, then lets the parts grow back over the edges.

    All numbers mean pixels where splitting runs.

    Args:
        gradient_threshold: An edge is a gradient magnitude (see `gradient_magnitude`) above this.
        min_area_px: Components below this many pixels are no instances.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far components take pixels back that the edges cost, as L1 distance.
    """

    needs = frozenset({DEPTH})

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

    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things into instances by falling area.

        Args:
            observation: Of B images, with depth.

        Raises:
            ValueError: There is no depth.
        """
        observation.require(self.needs, type(self).__name__)
        gradient = gradient_magnitude(cast(Tensor, observation.depth), self.sigma)
        edges = (gradient[:, 0] > self.gradient_threshold).cpu().numpy()
        regions = thing_regions(observation.semantic, observation.things)
        return instances_of(
            observation,
            [
                partition(region, edge, self.dilation_px, self.min_area_px).instances(
                    self.min_area_px
                )
                for region, edge in zip(regions, edges, strict=True)
            ],
        )
