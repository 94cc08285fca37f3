"""Rules for thing pixels that no object takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from relief.schema.observation import DEPTH, STUFF, Observation
from relief.schema.ranges import check_at_least


class Leftovers(ABC):
    """Decides about thing pixels without an object: after splitting, before categories are voted.

    Attributes:
        needs: The fields of `Observation` that it looks at beside `semantic` and `things`.
    """

    needs: frozenset[str] = frozenset()

    @abstractmethod
    def fill(self, observation: Observation, instance: Tensor) -> tuple[Tensor, Tensor]:
        """Gives them away.

        Args:
            observation: Of B images, in clusters (or classes), not in regions.
            instance: (B, h, w) int64, 0 = none.

        Returns:
            Semantic and instance maps (B, h, w) int64; thing pixels that still have no instance
            are void in the labels.
        """
        ...

    def left(self, observation: Observation, instance: Tensor) -> Tensor:
        """(B, h, w) bool: thing pixels without an object."""
        semantic = observation.semantic
        is_thing = observation.things.to(semantic.device)[semantic.clamp(min=0)] & (semantic >= 0)
        return is_thing & (instance == 0)


class LeaveVoid(Leftovers):
    """They are void, as published."""

    def fill(self, observation: Observation, instance: Tensor) -> tuple[Tensor, Tensor]:
        """Changes nothing."""
        return observation.semantic, instance


class BestStuff(Leftovers):
    """They become the stuff that is most alike: what looks like a thing but stands nowhere."""

    needs = frozenset({STUFF})

    def fill(self, observation: Observation, instance: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the nearest stuff centroid of each pixel; void where there is no stuff at all."""
        observation.require(self.needs, type(self).__name__)
        stuff = cast(Tensor, observation.stuff)
        left = self.left(observation, instance) & (stuff >= 0)
        return torch.where(left, stuff, observation.semantic), instance


class NearestObject(Leftovers):
    """They join the nearest object in (x, y, depth), if one is near; the others stay void.

    Args:
        max_distance: How near, as a share of the longer side; depth counts like that side.
        step_px: Objects are looked up at every n-th pixel of every n-th row.

    Raises:
        UsageError: A number is out of its range.
    """

    needs = frozenset({DEPTH})

    def __init__(self, max_distance: float = 0.02, step_px: int = 3) -> None:
        check_at_least(1, step_px=step_px)
        self.max_distance, self.step_px = max_distance, step_px

    def fill(self, observation: Observation, instance: Tensor) -> tuple[Tensor, Tensor]:
        """Enlarges objects; on the CPU."""
        observation.require(self.needs, type(self).__name__)
        depths = cast(Tensor, observation.depth)[:, 0].cpu().numpy()
        left = self.left(observation, instance).cpu().numpy()
        maps = [
            self._joined(*image) for image in zip(instance.cpu().numpy(), left, depths, strict=True)
        ]
        joined = np.stack(maps) if maps else np.zeros(tuple(instance.shape), np.int64)
        return observation.semantic, torch.from_numpy(joined).to(instance)

    def _joined(
        self, instance: NDArray[np.int64], left: NDArray[np.bool_], depth: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        rows, columns = np.indices(instance.shape)
        seen = (instance > 0) & (rows % self.step_px == 0) & (columns % self.step_px == 0)
        if not left.any() or not seen.any():
            return instance
        longer = max(instance.shape)
        points = np.stack((rows / longer, columns / longer, depth), axis=-1)
        _, nearest = cKDTree(points[seen]).query(
            points[left], distance_upper_bound=self.max_distance
        )
        joined = instance.copy()
        joined[left] = np.append(instance[seen], 0)[nearest]  # beyond the bound: the last
        return joined
