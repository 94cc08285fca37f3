"""Mirroring and random crops, one geometry for image and labels."""

from __future__ import annotations

from collections.abc import Mapping

import kornia.augmentation as K
import torch
from kornia.constants import Resample
from torch import Tensor

from relief.models.augmentations.geometric import GeometricAugmentation, Warp
from relief.schema.pixel_maps import PixelKind
from relief.schema.training import TrainingBatch


class FlipAndCrop(GeometricAugmentation):
    """Mirrors at random, cuts a random part of the same shape and enlarges it to `size`.

    Args:
        size: (height, width) of the result; the part has this aspect ratio.
        area: Least and greatest share of the image that the part covers.
        flip_probability: Of mirroring left and right.
    """

    def __init__(
        self,
        size: tuple[int, int] = (640, 1280),
        area: tuple[float, float] = (0.7, 1.0),
        flip_probability: float = 0.5,
    ) -> None:
        ratio = size[1] / size[0]  # kornia: width / height
        self.transform = K.AugmentationSequential(
            K.RandomHorizontalFlip(p=flip_probability),
            K.RandomResizedCrop(size, scale=area, ratio=(ratio, ratio), align_corners=False),
            data_keys=["input", "mask"],
            extra_args={"mask": {"resample": Resample.NEAREST, "align_corners": False}},
        )

    def draw(self, batch: TrainingBatch) -> Warp:
        """Returns kornia's transform, which draws when it is called."""
        del batch
        return self._move

    def _move(
        self, maps: Mapping[str, Tensor], kinds: Mapping[str, PixelKind]
    ) -> dict[str, Tensor]:
        smooth = [name for name, kind in kinds.items() if kind != "ids"]
        labels = [name for name, kind in kinds.items() if kind == "ids"]
        layers = [maps[name] if maps[name].ndim == 4 else maps[name][:, None] for name in smooth]
        # Ids from 0 on: what lies outside comes back as 0 and becomes -1.
        stacked = torch.stack([maps[name] + 1 for name in labels], dim=1).float()
        image, ids = self.transform(torch.cat(layers, dim=1), stacked)
        parts = image.split([layer.shape[1] for layer in layers], dim=1)
        moved = {
            name: part.view(len(part), *maps[name].shape[1:-2], *part.shape[-2:])
            for name, part in zip(smooth, parts, strict=True)
        }
        ids = ids.round().long() - 1
        return {**moved, **dict(zip(labels, ids.unbind(1), strict=True))}
