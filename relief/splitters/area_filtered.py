"""Splitters whose area filter only decides which parts are instances."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import Partition
from relief.schema.observation import Observation, Split
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import instances_of, thing_regions


class Edges(Protocol):
    """Where the depth of one image jumps; asked by the splitter, answered from a cache."""

    def __call__(
        self, sigma: float, threshold: float, sharpening: ToggleSharpening | None = None
    ) -> NDArray[np.bool_]:
        """(h, w) true where the gradient of the depth is above a threshold.

        Args:
            sigma: Smoothing of the depth before its gradient, in pixels.
            threshold: See `gradient_magnitude`.
            sharpening: Applied to the depth before it is smoothed.
        """
        ...


class AreaFilteredSplitter(Splitter):
    """A splitter whose area filter only decides which of its parts are instances.

    One partition then answers every area filter: a sweep parts an image once for all of them.

    Attributes:
        min_area_px: Parts below this many pixels are no instances; pixels where splitting runs.
    """

    min_area_px: int

    @abstractmethod
    def partition(self, regions: NDArray[Any], edges: Edges, least_area_px: int = 1) -> Partition:
        """Parts one image, whatever `min_area_px` is.

        Args:
            regions: (h, w) unsigned integers: 0 = no thing, else what is split together.
            edges: Where its depth jumps, as bool (h, w).
            least_area_px: Smaller parts may be left out.
        """
        ...

    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things into instances by falling area.

        Raises:
            ValueError: There is no depth, and the splitter needs it.
        """
        observation.require(self.needs, type(self).__name__)
        regions = thing_regions(observation.semantic, observation.things)

        @cache
        def edges(
            sigma: float, threshold: float, sharpening: ToggleSharpening | None = None
        ) -> NDArray[np.bool_]:
            depth = cast(Tensor, observation.depth)
            gradient = gradient_magnitude(depth if sharpening is None else sharpening(depth), sigma)
            return np.asarray((gradient[:, 0] > threshold).cpu().numpy())

        def instances(index: int) -> NDArray[np.int64]:
            parts = self.partition(
                regions[index], lambda *rule: edges(*rule)[index], self.min_area_px
            )
            return parts.instances(self.min_area_px)

        return instances_of(observation, [instances(index) for index in range(len(regions))])
