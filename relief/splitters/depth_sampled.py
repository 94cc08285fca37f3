"""Splitters that part regions by depth, image by image, at every n-th pixel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relief.schema.observation import DEPTH, Observation, Split
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import instances_of, thing_regions

_Value = TypeVar("_Value", np.int64, np.float32)


class Parts(NamedTuple):
    """The parts of one image, at every n-th pixel of every n-th row."""

    number: NDArray[np.int64]  # (ceil(h / n), ceil(w / n)) in any order, 0 = none
    confidence: NDArray[np.float32] | None = None  # in [0, 1], of the same shape


class DepthSampledSplitter(Splitter):
    """A splitter that parts the regions of one image by their depth, on the CPU.

    Attributes:
        min_area_px: Smaller parts are no instances; pixels where splitting runs.
        step_px: Look at every n-th pixel of every n-th row; the others follow the one of their
            block, or the next of the same region.
    """

    needs = frozenset({DEPTH})
    min_area_px: int
    step_px: int

    @abstractmethod
    def parts(self, region: NDArray[Any], depth: NDArray[np.float64]) -> Parts:
        """Numbers the parts of one image.

        Args:
            region: (h, w) unsigned integers: 0 = no thing, else what is split together.
            depth: (h, w) in [0, 1].

        Returns:
            The parts of every `step_px`-th pixel; each lies within one region.
        """
        ...

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
        splits = [self._instances(*pair) for pair in zip(regions, depths, strict=True)]
        sure = [confidence for _, confidence in splits if confidence is not None]
        return instances_of(observation, [instance for instance, _ in splits], sure)

    def _instances(
        self, region: NDArray[Any], depth: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
        parts, confidence = self.parts(region, depth)
        area_px = np.bincount(parts.reshape(-1)) * self.step_px**2
        large = np.where(area_px[parts] >= max(self.min_area_px, 1), parts, 0)
        instance = _by_falling_area(_enlarged(large, region, self.step_px), region)
        if confidence is None:
            return instance, None
        return instance, np.where(instance > 0, _enlarged(confidence, region, self.step_px), 0)


def _enlarged(small: NDArray[_Value], region: NDArray[Any], step: int) -> NDArray[_Value]:
    """Gives every pixel the value of its block, or of the next block of the same region.

    Args:
        small: (ceil(h / step), ceil(w / step)) of every `step`-th pixel, 0 = none.
        region: (h, w) 0 = no thing.
        step: In pixels.
    """
    if step == 1:
        return small
    sampled = region[::step, ::step]
    large = np.zeros(region.shape, small.dtype)
    unset = region > 0
    height, width = region.shape
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = np.minimum(np.arange(height) // step + down, small.shape[0] - 1)
        columns = np.minimum(np.arange(width) // step + right, small.shape[1] - 1)
        at = np.ix_(rows, columns)
        follows = unset & (sampled[at] == region)
        large[follows] = small[at][follows]
        unset &= ~follows
    return large


def _by_falling_area(instance: NDArray[np.int64], region: NDArray[Any]) -> NDArray[np.int64]:
    """Renumbers instances by falling area, then by region, then in scan order."""
    ids, first, area = np.unique(instance, return_index=True, return_counts=True)
    objects = ids > 0
    ids, first, area = ids[objects], first[objects], area[objects]
    order = np.lexsort((first, region.reshape(-1)[first], -area))
    number = np.zeros(int(ids.max(initial=0)) + 1, np.int64)
    number[ids[order]] = np.arange(1, len(ids) + 1)
    return number[instance]
