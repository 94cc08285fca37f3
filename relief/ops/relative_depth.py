"""Depth of any unit as relative depth: 0 near, 1 far, per image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_MIN_RANGE = 1e-6


def min_max(depth: Tensor) -> Tensor:
    """Stretches each map to [0, 1].

    Args:
        depth: (B, 1, H, W) float.

    Returns:
        (B, 1, H, W) float32; all zeros where a map spans less than 1e-6, as published; NaN all
        over where a map holds a value that is not finite: stretched, the others would say nothing.
    """
    depth = depth.float()
    broken = ~torch.isfinite(depth).all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)
    low = depth.amin(dim=(-2, -1), keepdim=True)
    span = depth.amax(dim=(-2, -1), keepdim=True) - low
    stretched = torch.where(span < _MIN_RANGE, torch.zeros_like(depth), (depth - low) / span)
    return stretched.masked_fill(broken, torch.nan)


def relative_at(depth: Tensor, size: tuple[int, int], *, inverse: bool = False) -> Tensor:
    """Resizes bilinearly and stretches to [0, 1], in this order, as published.

    Args:
        depth: (B, 1, h, w) float, metres or any other unit.
        size: (height, width) of the result.
        inverse: The values are inverse depth (large = near): 1 - min-max.

    Returns:
        (B, 1, *size) float32, 0 near, 1 far; constant maps become zeros.
    """
    resized = F.interpolate(depth.float(), size=size, mode="bilinear", align_corners=False)
    return min_max(-resized if inverse else resized)
