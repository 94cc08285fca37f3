"""Images turned around their middle, and maps of them turned back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_WHOLE = 1 - 1e-4  # of a pixel's weight from inside the turned image


def turned(image: Tensor, degrees: Tensor) -> Tensor:
    """Turns images (B, C, H, W) by angles (B,) around their middle; 0 from outside of them."""
    matrices = _turning(degrees.to(image), image.shape[-2] / image.shape[-1])
    grid = F.affine_grid(matrices, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, align_corners=False)


def turned_back(
    values: Tensor, degrees: Tensor | None, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Turns maps of turned images back.

    Args:
        values: (B, C, h, w) float.
        degrees: (B,) as `turned` had them; `None`: the images were not turned.
        size: (h, w) of `values`.

    Returns:
        The maps, and (B, h, w) bool: where both the image and the turned one see, but for the
        pixels at the border of what is lost.
    """
    valid = torch.ones((len(values), 1, *size), device=values.device)
    if degrees is None:
        return values, valid[:, 0] > 0
    back = turned(values, -degrees)
    seen = turned(turned(valid, degrees), -degrees)
    whole = (seen > _WHOLE).float()
    eroded = 1 - F.max_pool2d(1 - whole, 3, stride=1, padding=1)
    return back, eroded[:, 0] > 0


def _turning(degrees: Tensor, height_by_width: float) -> Tensor:
    """(B, 2, 3) for `affine_grid`, in which a pixel is as high as it is wide."""
    cosine, sine = torch.cos(degrees.deg2rad()), torch.sin(degrees.deg2rad())
    zero = torch.zeros_like(cosine)
    first = torch.stack((cosine, -sine * height_by_width, zero), dim=-1)
    second = torch.stack((sine / height_by_width, cosine, zero), dim=-1)
    return torch.stack((first, second), dim=-2)
