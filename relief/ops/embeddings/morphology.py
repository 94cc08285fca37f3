"""Objects without noise, bridges and gaps: each opened, then closed within its region."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smoothed(instance: Tensor, inside: Tensor, side_px: int = 3) -> Tensor:
    """Opens and closes objects by a square; a gap goes to the larger of two that would take it.

    Args:
        instance: (H, W) int64, 0 = none, 1..n.
        inside: (H, W) bool, where objects may grow.
        side_px: Side of the square, odd.

    Returns:
        (H, W) int64 with the same ids; an object may have lost all its pixels.
    """
    result = torch.zeros_like(instance)
    number = torch.arange(1, int(instance.max()) + 1 if instance.numel() else 1)
    masks = instance[None] == number.to(instance.device)[:, None, None]
    opened = _dilated(_eroded(masks, side_px), side_px)
    wide = F.pad(opened, (side_px,) * 4)  # so that nothing grows along the image's border
    closed = _eroded(_dilated(wide, side_px), side_px)
    closed = closed[:, side_px:-side_px, side_px:-side_px] & inside
    for index in opened.flatten(1).sum(dim=1).argsort(stable=True).tolist():
        result[closed[index]] = index + 1
    for index in range(len(number)):  # what an object holds itself, none takes by closing
        result[opened[index]] = index + 1
    return result


def _dilated(masks: Tensor, side_px: int) -> Tensor:
    pooled = F.max_pool2d(masks.float()[:, None], side_px, stride=1, padding=side_px // 2)
    return pooled[:, 0] > 0


def _eroded(masks: Tensor, side_px: int) -> Tensor:
    """Beyond the border of the image counts as inside."""
    return ~_dilated(~masks, side_px)
