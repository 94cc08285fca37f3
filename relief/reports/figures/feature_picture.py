"""Features as colours: alike features have alike colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.reports.figures.overlay import Picture, as_picture


def paint_features(image: Tensor, features: Tensor) -> Picture:
    """Paints images above the three directions in which their features differ most.

    Args:
        image: (B, 3, H, W) float32 in [0, 1].
        features: (B, C, h, w) of them, C at least 3.

    Returns:
        (2 H, B W, 3) uint8 RGB; colours are comparable within the picture only.
    """
    unit = F.normalize(features.float(), dim=1).movedim(1, -1)
    flat = unit.flatten(0, 2) - unit.mean(dim=(0, 1, 2))
    values, vectors = torch.linalg.eigh(flat.T @ flat)
    axes = vectors[:, values.argsort(descending=True)[:3]]
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    places = (flat @ axes).view(*unit.shape[:3], 3).movedim(-1, 1)
    spread = 2 * places.std(dim=(0, 2, 3), correction=0, keepdim=True).clamp(min=1e-6)
    colors = (0.5 + places / (2 * spread)).clamp(0, 1)
    below = F.interpolate(colors, image.shape[-2:], mode="nearest-exact")
    both = torch.cat((torch.cat(image.unbind(), -1), torch.cat(below.unbind(), -1)), dim=-2)
    return as_picture((both * 255).round().to(torch.uint8))
