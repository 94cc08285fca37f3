"""Instances as the parts that live longest over all thresholds of depth: none is to be chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import partition
from relief.ops.splitting.split_tree import SplitTree, gradient_tree
from relief.ops.splitting.stable_branches import Branches
from relief.schema.errors import UsageError
from relief.schema.observation import DEPTH, Observation, Split
from relief.schema.parts import Splitter
from relief.schema.ranges import check_at_least
from relief.splitters.thing_regions import instances_of, thing_regions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lifetimes:
    """The branches of one image that became objects, and the levels that they live between.

    Levels are logarithms of gradient + floor, as the splitter compares them.

    Attributes:
        top: (P,) node of each in the tree, rising.
        area_px: (P,) pixels of each just before it joins another.
        lowest: (P,) the level below which it is gone or falls apart.
        end: (P,) the level at which its pixels end.
        until: (P,) the level at which it joins another.
    """

    top: NDArray[np.int64]
    area_px: NDArray[np.int64]
    lowest: Floats
    end: Floats
    until: Floats


class StabilitySplitter(Splitter):
    """Takes the branches of the tree of all depth edges that live longest for objects.

    Within each, pixels count below a level between the two that it lives from and to; that level
    is drawn towards what is usual among the branches of the image. How long a pixel holds to its
    object is its confidence: 1 - (its gradient) / (the gradient at which the object joins another).

    Args:
        area_share: Parts below this share of all thing pixels of the image are no objects.
        least_life: Branches that live shorter are no objects; logarithm of the ratio of levels.
        height: Where between the two levels an object ends, from 0 (its highest) to 1.
        likeness: How far these levels are drawn to their median, from 0 (not at all) to 1.
        floor: Gradients far below it are alike, as `gradient_magnitude`.
        sharpening: Makes steps of soft edges first; `None` takes depth as it is. The default is
            `ToggleSharpening()`.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far objects take pixels back that edges cost, as L1 distance.

    Raises:
        UsageError: A number is out of its range.

    Example:
        >>> depth = torch.full((1, 1, 16, 32), 0.2)
        >>> depth[..., 16:] = 0.8  # one car behind another
        >>> observation = Observation(
        ...     semantic=torch.zeros(1, 16, 32, dtype=torch.int64),
        ...     things=torch.tensor([True]),
        ...     depth=depth,
        ... )
        >>> StabilitySplitter().split(observation).instance[0, 4, [2, 30]].tolist()
        [1, 2]
    """

    needs = frozenset({DEPTH})
    gives_confidence = True

    def __init__(
        self,
        area_share: float = 0.003,
        least_life: float = 0.5,
        height: float = 0.7,
        likeness: float = 0.75,
        floor: float = 0.001,
        sharpening: ToggleSharpening | None = ToggleSharpening(),  # noqa: B008  # frozen
        sigma: float = 1.0,
        dilation_px: int = 3,
    ) -> None:
        check_at_least(0, area_share=area_share, least_life=least_life, sigma=sigma)
        check_at_least(0, height=height, likeness=likeness, dilation_px=dilation_px)
        if max(area_share, height, likeness) > 1 or not floor > 0:
            msg = (
                f"area_share={area_share}, height={height}, likeness={likeness}, floor={floor}: "
                "expected at most 1, and a floor above 0. Give other numbers."
            )
            raise UsageError(msg)
        self.area_share, self.least_life = area_share, least_life
        self.height, self.likeness, self.floor = height, likeness, floor
        self.sharpening, self.sigma, self.dilation_px = sharpening, sigma, dilation_px

    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things into instances by falling area.

        Raises:
            ValueError: There is no depth.
        """
        observation.require(self.needs, type(self).__name__)
        depths = cast(Tensor, observation.depth)[:, 0].cpu().numpy()
        regions = thing_regions(observation.semantic, observation.things)
        pairs = [self._of_image(*pair) for pair in zip(regions, depths, strict=True)]
        split = instances_of(observation, [instance for instance, _ in pairs])
        sure = np.stack([sure for _, sure in pairs]) if pairs else np.zeros(regions.shape)
        confidence = torch.from_numpy(sure.astype(np.float32)).to(split.instance.device)
        return Split(split.instance, confidence)

    def lifetimes(self, region: NDArray[Any], depth: NDArray[Any]) -> Lifetimes:
        """Tells which branches of one image become objects, and why: how long they live.

        Args:
            region: (h, w) unsigned integers, 0 = in no region.
            depth: (h, w) float32 in [0, 1].
        """
        tree = gradient_tree(region, self._gradient(depth))
        return self._lifetimes(tree, self._min_area_px(tree))

    def _gradient(self, depth: NDArray[Any]) -> Floats:
        sharp = depth if self.sharpening is None else self.sharpening.sharpened(depth)
        return gradient_magnitude_cpu(sharp, self.sigma)

    def _min_area_px(self, tree: SplitTree) -> int:
        return max(1, int(self.area_share * len(tree.position)))

    def _of_image(
        self, region: NDArray[Any], depth: NDArray[Any]
    ) -> tuple[NDArray[np.int64], Floats]:
        """Instances (h, w) of one image, and how sure they are."""
        gradient = self._gradient(depth)
        tree = gradient_tree(region, gradient)
        min_area_px = self._min_area_px(tree)
        core, until = self._cores(tree, self._lifetimes(tree, min_area_px), gradient)
        instance = partition(region, ~core, self.dilation_px).instances(min_area_px)
        ends = np.zeros(int(instance.max(initial=0)) + 1)
        np.maximum.at(ends, instance[core], until[core])
        sure = 1 - (gradient + self.floor) / (ends[instance] + self.floor)
        return instance, np.where(region == 0, 1.0, np.where(instance > 0, sure.clip(0, 1), 0.0))

    def _lifetimes(self, tree: SplitTree, min_area_px: int) -> Lifetimes:
        branches = Branches.of(tree, min_area_px, self.floor)
        chosen = branches.most_stable()
        low, high = branches.lowest[chosen], branches.until[chosen]
        lives = high - np.maximum(low, np.log(self.floor)) >= self.least_life
        chosen, low, high = chosen[lives], low[lives], high[lives]
        area_px = branches.area_px[chosen]
        end = high - self.height * (high - low)
        if len(chosen):
            usual = _weighted_median(end, np.sqrt(area_px))
            end = np.minimum(end + self.likeness * (usual - end), high)
        return Lifetimes(branches.top[chosen], area_px, low, end, high)

    def _cores(
        self, tree: SplitTree, lives: Lifetimes, gradient: Floats
    ) -> tuple[NDArray[np.bool_], Floats]:
        """Pixels that surely are of objects, and the gradient at which each one's object ends."""
        core, until = np.zeros(tree.shape, np.bool_), np.zeros(tree.shape)
        if not len(lives.top):
            return core, until
        marked = np.zeros(len(tree.parent), np.bool_)
        marked[lives.top] = True
        node = tree.nearest(marked)
        inside = np.flatnonzero(node >= 0)
        which = np.searchsorted(lives.top, node[inside])
        position = tree.position[inside]
        level = np.log(gradient.reshape(-1)[position] + self.floor)
        core.reshape(-1)[position] = level <= lives.end[which]
        until.reshape(-1)[position] = np.exp(lives.until[which]) - self.floor
        return core, until


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
