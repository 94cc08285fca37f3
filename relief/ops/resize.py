"""Images and labels to another size, as the published pipeline resizes them with PIL."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_image(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes with a triangle filter, widened when shrinking, in steps of 1/255.

    As PIL's `resize(..., BILINEAR)` of 8-bit images: columns first, rounded to whole levels, then
    rows, rounded again. Equal to PIL on the CPU; other devices may round halves the other way.

    Args:
        image: (B, 3, H, W) uint8, or floating point in [0, 1].
        size: (height, width).

    Returns:
        (B, 3, *size), the dtype of `image`.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    levels = image.to(torch.float32) if image.dtype == torch.uint8 else image.float() * 255
    levels = _resize_one_axis(levels, (image.shape[-2], size[1]))
    levels = _resize_one_axis(levels, size)
    return levels.to(torch.uint8) if image.dtype == torch.uint8 else (levels / 255).to(image.dtype)


def _resize_one_axis(levels: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(levels.shape[-2:]) == tuple(size):
        return levels
    resized = F.interpolate(levels, size, mode="bilinear", align_corners=False, antialias=True)
    return (resized + 0.5).floor_().clamp_(0, 255)


def resize_nearest(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Takes for each new pixel the label under its centre: PIL `NEAREST`, torch `nearest-exact`.

    Args:
        labels: (..., H, W), any dtype.
        size: (height, width).

    Returns:
        (..., *size), the dtype of `labels`.
    """
    height, width = labels.shape[-2:]
    if (height, width) == tuple(size):
        return labels
    rows = _centres(height, size[0], labels.device)
    columns = _centres(width, size[1], labels.device)
    return labels.index_select(-2, rows).index_select(-1, columns)


def _centres(old: int, new: int, device: torch.device) -> Tensor:
    """floor((i + 1/2) old / new), in whole numbers: no rounding decides a label."""
    return (2 * torch.arange(new, device=device) + 1) * old // (2 * new)
