"""From a semantic map to the regions that splitters part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def thing_regions(semantic: Tensor, thing_ids: Tensor) -> NDArray[np.unsignedinteger]:
    """Things by number, on the CPU.

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
