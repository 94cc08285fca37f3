"""Batches of another resolution at every step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.ops.instance_targets import tidy_instances
from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment

PUBLISHED_HEIGHTS_PX = (384, 416, 448, 480, 512, 544, 576, 608, 640, 672, 704)


class ResolutionJitter(Augmentation):
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

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The batch at a height drawn from torch's global generator of the CPU."""
        del moment
        height = self.heights_px[int(torch.randint(len(self.heights_px), ()))]
        old_height, old_width = batch["image"].shape[-2:]
        width = round(old_width * height / old_height / self.multiple_px) * self.multiple_px
        size = (height, max(width, self.multiple_px))
        image = F.interpolate(
            batch["image"], size=size, mode="bilinear", align_corners=False, antialias=True
        )
        resized: TrainingBatch = {
            **batch,
            "image": image.clamp(0.0, 1.0),
            "semantic": _nearest(batch["semantic"], size),
            "instance": _nearest(batch["instance"], size),
        }
        return tidy_instances(resized, self.min_object_px)


def _nearest(labels: Tensor, size: tuple[int, int]) -> Tensor:
    enlarged = F.interpolate(labels[:, None].double(), size=size, mode="nearest-exact")
    return enlarged[:, 0].long()
