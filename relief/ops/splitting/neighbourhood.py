"""Neighbourhoods of the places of a map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def average_around(features: Tensor, reach: int) -> Tensor:
    """The mean over (2 reach + 1)^2 places; beyond the border its last values are repeated.

    Args:
        features: (B, C, h, w) floating point.
        reach: Places to each side, at least 1.

    Returns:
        (B, C, h, w).
    """
    padded = F.pad(features, (reach,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * reach + 1, stride=1)
