"""Lanczos resizing on tensors, as PIL does it on pictures."""

from __future__ import annotations

import torch
from torch import Tensor

_LOBES = 3  # PIL's LANCZOS: sinc(x) sinc(x / 3) for |x| < 3


def resize_lanczos(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes like `PIL.Image.resize(..., LANCZOS)`, on the image's own device.

    PIL resizes rows, rounds to 8-bit levels, resizes columns and rounds again; so does this. PIL's
    fixed-point weights can round a level differently here and there.

    Args:
        image: (..., H, W) float32 in [0, 1].
        size: (height, width) of the result.

    Returns:
        (..., *size) float32 in [0, 1], on 8-bit levels.
    """
    levels = (image * 255).round()
    if image.shape[-1] != size[1]:
        levels = _rounded(levels @ lanczos_weights(image.shape[-1], size[1], levels.device).mT)
    if image.shape[-2] != size[0]:
        levels = _rounded(lanczos_weights(image.shape[-2], size[0], levels.device) @ levels)
    return levels / 255


def lanczos_weights(length: int, new_length: int, device: torch.device) -> Tensor:
    """The resampling of one axis as a matrix: (new_length, length) float32, rows sum to 1.

    When an axis shrinks the kernel is widened by the same factor, so that nothing aliases.
    """
    step = length / new_length
    widening = max(step, 1.0)
    centers = (torch.arange(new_length, dtype=torch.float64, device=device) + 0.5) * step
    pixels = torch.arange(length, dtype=torch.float64, device=device) + 0.5
    offsets = (pixels[None] - centers[:, None]) / widening
    weights = torch.sinc(offsets) * torch.sinc(offsets / _LOBES)
    weights[offsets.abs() >= _LOBES] = 0.0
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _rounded(levels: Tensor) -> Tensor:
    return (levels + 0.5).floor().clamp(0, 255)
