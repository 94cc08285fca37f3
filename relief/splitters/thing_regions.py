"""From a semantic map to the regions that splitters part."""

from __future__ import annotations

import numpy as np
import torch
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
    size = len(thing_ids) + 1
    dtype = torch.uint8 if size <= 256 else torch.int32
    codes = torch.arange(size, device=semantic.device)
    codes[1:] *= thing_ids.to(semantic.device)
    # -1 reads the entry of "ignore" in front.
    regions = codes.to(dtype)[semantic + 1].cpu().numpy()
    return regions if regions.dtype == np.uint8 else regions.view(np.uint32)
