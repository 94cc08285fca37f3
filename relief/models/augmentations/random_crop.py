"""Random parts of the images, of one size per batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relief.models.augmentations.geometric import GeometricAugmentation, Warp
from relief.schema.pixel_maps import PixelKind
from relief.schema.training import TrainingBatch


class RandomCrop(GeometricAugmentation):
    """Cuts a part out of every image, nothing is resized; its height is drawn once per batch.

    Each part has a place of its own; images that are smaller stay whole.

    Args:
        heights_px: Least and greatest height of the part, both possible.
        aspect: Width of the part over its height.
        min_object_px: Objects with fewer pixels in the part are dropped.
    """

    def __init__(
        self,
        heights_px: tuple[int, int] = (512, 1024),
        aspect: float = 2.0,
        min_object_px: int = 5,
    ) -> None:
        self.heights_px = heights_px
        self.aspect = aspect
        self.min_object_px = min_object_px

    def draw(self, batch: TrainingBatch) -> Warp:
        """Draws the size of the parts, then the place of each."""
        low, high = self.heights_px
        full_height, full_width = batch["image"].shape[-2:]
        drawn = int(torch.randint(low, high + 1, ()))
        height, width = min(drawn, full_height), min(round(drawn * self.aspect), full_width)
        parts = []
        for _ in batch["image"]:
            top = int(torch.randint(full_height - height + 1, ()))
            left = int(torch.randint(full_width - width + 1, ()))
            parts.append((slice(top, top + height), slice(left, left + width)))

        def move(maps: Mapping[str, Tensor], kinds: Mapping[str, PixelKind]) -> dict[str, Tensor]:
            return {
                name: torch.stack(
                    [image[..., *part] for image, part in zip(maps[name], parts, strict=True)]
                )
                for name in kinds
            }

        return move
