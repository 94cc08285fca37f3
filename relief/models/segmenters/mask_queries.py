"""Queries of a mask decoder: kernels on features of pixels and on where a pixel lies."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

PLACE_NUMBERS = 3
"""Numbers of a kernel for where a pixel lies from its anchor: along x, along y, distance."""
_PER_HEIGHT = 10.0  # units of where a pixel lies, in the height of an image


class Queries(NamedTuple):
    """The queries of B images: a class, a kernel and an anchor each."""

    class_logits: Tensor  # (B, Q, 1 + things), the last one of no object
    kernels: Tensor  # (B, Q, mask_width + 3 + 1)
    anchors: Tensor  # (Q, 2): x and y of the middles of cells, in [-1, 1]
    pixels: Tensor  # (B, mask_width, h, w)

    def mask_logits(
        self, index: int, pixels: Tensor, places: Tensor, chosen: Tensor | None = None
    ) -> Tensor:
        """The masks of queries of one image on P points.

        Args:
            index: Of the image.
            pixels: (mask_width, P) of the points.
            places: (P, 2) x and y in [-1, 1].
            chosen: (K,) int64 queries; all unless given.

        Returns:
            (K, P) float32.
        """
        kernels, anchors = self.kernels[index], self.anchors
        if chosen is not None:
            kernels, anchors = kernels[chosen], anchors[chosen]
        width, aspect = len(pixels), self.pixels.shape[-1] / self.pixels.shape[-2]
        unit = anchors.new_tensor((_PER_HEIGHT / 2 * aspect, _PER_HEIGHT / 2))
        apart = (places - anchors[:, None]) * unit
        far = F.softplus(kernels[:, None, width + 2]) * apart.norm(dim=2)
        moved = (kernels[:, None, width : width + 2] * apart).sum(dim=2)
        return kernels[:, :width] @ pixels + moved - far + kernels[:, -1:]


def places_of(size: tuple[int, int], like: Tensor) -> Tensor:
    """(height, width, 2) x and y of the middles of pixels, in [-1, 1]."""
    rows, columns = (
        (2 * torch.arange(n, device=like.device, dtype=torch.float32) + 1) / n - 1 for n in size
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((x, y), dim=-1)


def values_at(maps: Tensor, places: Tensor) -> Tensor:
    """(N, h, w) float32 maps at (P, 2) places x, y in [-1, 1] -> (N, P), bilinear."""
    return F.grid_sample(maps[None], places[None, None], align_corners=False)[0, :, 0]
