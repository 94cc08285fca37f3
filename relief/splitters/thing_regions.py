"""From a semantic map to the regions that splitters part, and back to a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.schema.observation import Observation, Split


def thing_regions(semantic: Tensor, thing_ids: Tensor) -> NDArray[np.unsignedinteger]:
    """Numbers the things of a batch, on the CPU.

    Args:
        semantic: (B, H, W) int64 ids below K, -1 = ignore.
        thing_ids: (K,) bool.

    Returns:
        (B, H, W) unsigned integers: id + 1 for things, 0 for everything else.
    """
    number = np.arange(1, len(thing_ids) + 1) * thing_ids.cpu().numpy()
    codes = np.append(number, 0)  # -1 reads the last entry
    codes = codes.astype(np.uint8 if len(thing_ids) < 256 else np.uint32)
    return codes.take(semantic.cpu().numpy())


def instances_of(observation: Observation, maps: Sequence[NDArray[Any]]) -> Split:
    """Stacks one instance map (h, w) per image, on the device of the observation."""
    shape = tuple(observation.semantic.shape)
    stacked = np.stack(maps).astype(np.int64, copy=False) if maps else np.zeros(shape, np.int64)
    return Split(torch.from_numpy(stacked).to(observation.semantic.device))


def enlarged_within(small: NDArray[np.int64], region: NDArray[Any], step: int) -> NDArray[np.int64]:
    """Gives every pixel the instance of its block, or of the next block of the same region.

    Args:
        small: (ceil(h / step), ceil(w / step)) instances of every `step`-th pixel, 0 = none.
        region: (h, w) 0 = no thing.
        step: In pixels.
    """
    if step == 1:
        return small
    sampled = region[::step, ::step]
    instance = np.zeros(region.shape, np.int64)
    unset = region > 0
    height, width = region.shape
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = np.minimum(np.arange(height) // step + down, small.shape[0] - 1)
        columns = np.minimum(np.arange(width) // step + right, small.shape[1] - 1)
        at = np.ix_(rows, columns)
        follows = unset & (sampled[at] == region)
        instance[follows] = small[at][follows]
        unset &= ~follows
    return instance


def by_falling_area(instance: NDArray[np.int64], region: NDArray[Any]) -> NDArray[np.int64]:
    """Renumbers instances by falling area, then by region, then in scan order."""
    ids, first, area = np.unique(instance, return_index=True, return_counts=True)
    objects = ids > 0
    ids, first, area = ids[objects], first[objects], area[objects]
    order = np.lexsort((first, region.reshape(-1)[first], -area))
    number = np.zeros(int(ids.max(initial=0)) + 1, np.int64)
    number[ids[order]] = np.arange(1, len(ids) + 1)
    return number[instance]
