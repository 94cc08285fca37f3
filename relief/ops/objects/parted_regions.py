"""Objects as the parts of one region between boundaries, and boundaries from objects."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.ops.splitting.reclaim import partition


def inner_boundaries(instance: Tensor) -> Tensor:
    """Marks the pixels of objects that touch another object, or none, by one of four sides.

    Args:
        instance: (B, H, W) integers, 0 = no object.

    Returns:
        (B, H, W) bool.
    """
    touches = torch.zeros_like(instance, dtype=torch.bool)
    differs = instance[..., 1:] != instance[..., :-1]
    touches[..., 1:] |= differs
    touches[..., :-1] |= differs
    differs = instance[..., 1:, :] != instance[..., :-1, :]
    touches[..., 1:, :] |= differs
    touches[..., :-1, :] |= differs
    return touches & (instance > 0)


def parted_things(region: Tensor, boundary: Tensor, min_area_px: int, reach_px: int) -> Tensor:
    """Numbers the parts of a region between boundaries, by falling area.

    Args:
        region: (H, W) bool.
        boundary: (H, W) bool; parts do not cross it.
        min_area_px: Parts with fewer pixels off the boundary are none.
        reach_px: How far parts take pixels of the region back from boundaries, as L1 distance.

    Returns:
        (H, W) int64, 0 = no part, on the device of the region; the work is done on the CPU.
    """
    parts = partition(region.to(torch.uint8).cpu().numpy(), boundary.cpu().numpy(), reach_px)
    return torch.from_numpy(parts.instances(min_area_px)).to(region.device)
