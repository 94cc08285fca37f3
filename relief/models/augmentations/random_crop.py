"""Random parts of the images, of one size per batch."""

from __future__ import annotations

import torch

from relief.ops.instance_targets import tidy_instances
from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment


class RandomCrop(Augmentation):
    """Cuts a part out of every image, nothing is resized; its height is drawn once per batch.

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

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The parts, each from a place of its own; images that are smaller stay whole."""
        del moment
        low, high = self.heights_px
        drawn = int(torch.randint(low, high + 1, ()))
        height = min(drawn, batch["image"].shape[-2])
        width = min(round(drawn * self.aspect), batch["image"].shape[-1])
        images, semantics, instances = [], [], []
        for image, semantic, instance in zip(
            batch["image"], batch["semantic"], batch["instance"], strict=True
        ):
            top = int(torch.randint(image.shape[-2] - height + 1, ()))
            left = int(torch.randint(image.shape[-1] - width + 1, ()))
            rows, columns = slice(top, top + height), slice(left, left + width)
            images.append(image[:, rows, columns])
            semantics.append(semantic[rows, columns])
            instances.append(instance[rows, columns])
        cropped: TrainingBatch = {
            **batch,
            "image": torch.stack(images),
            "semantic": torch.stack(semantics),
            "instance": torch.stack(instances),
        }
        return tidy_instances(cropped, self.min_object_px)
