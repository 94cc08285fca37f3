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
    numbers = torch.arange(1, len(thing_ids) + 1, device=semantic.device)
    codes = torch.cat((numbers * thing_ids.to(semantic.device), numbers.new_zeros(1)))
    is_small = len(thing_ids) < 256
    regions = codes.to(torch.uint8 if is_small else torch.int32)[semantic]  # -1 reads the last
    return regions.cpu().numpy().view(np.uint8 if is_small else np.uint32)


def instances_of(
    observation: Observation,
    maps: Sequence[NDArray[Any]],
    confidences: Sequence[NDArray[np.float32]] = (),
) -> Split:
    """Stacks one instance map (h, w) per image, on the device of the observation.

    Args:
        observation: Of these images.
        maps: Of each image.
        confidences: (h, w) of each image, or none at all.
    """
    semantic = observation.semantic
    shape, device = tuple(semantic.shape), semantic.device
    stacked = np.stack(maps).astype(np.int64, copy=False) if maps else np.zeros(shape, np.int64)
    sure = torch.from_numpy(np.stack(confidences)).to(device) if confidences else None
    return Split(torch.from_numpy(stacked).to(device), sure)
