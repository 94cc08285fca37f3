"""Batches of another resolution at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from relief.models.augmentations.geometric import GeometricAugmentation, Warp, resized
from relief.schema.pixel_maps import PixelKind
from relief.schema.training import TrainingBatch

PUBLISHED_HEIGHTS_PX = (384, 416, 448, 480, 512, 544, 576, 608, 640, 672, 704)


class ResolutionJitter(GeometricAugmentation):
    """Resizes the whole batch to one of several heights, the aspect ratio kept.

    Args:
        heights_px: The heights to choose from, each as likely.
        multiple_px: Widths are rounded to a multiple of this.
        min_object_px: Objects with fewer pixels after it are dropped.
    """

    def __init__(
        self,
        heights_px: Sequence[int] = PUBLISHED_HEIGHTS_PX,
        multiple_px: int = 32,
        min_object_px: int = 5,
    ) -> None:
        self.heights_px = tuple(heights_px)
        self.multiple_px = multiple_px
        self.min_object_px = min_object_px

    def draw(self, batch: TrainingBatch) -> Warp:
        """Draws a height from torch's global generator of the CPU."""
        height = self.heights_px[int(torch.randint(len(self.heights_px), ()))]
        old_height, old_width = batch["image"].shape[-2:]
        width = round(old_width * height / old_height / self.multiple_px) * self.multiple_px
        size = (height, max(width, self.multiple_px))

        def move(maps: Mapping[str, Tensor], kinds: Mapping[str, PixelKind]) -> dict[str, Tensor]:
            return {name: resized(maps[name], kind, size) for name, kind in kinds.items()}

        return move
