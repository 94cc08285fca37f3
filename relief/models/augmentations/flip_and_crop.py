"""Mirroring and random crops, one geometry for image and labels."""

from __future__ import annotations

import kornia.augmentation as K
import torch
from kornia.constants import Resample

from relief.ops.instance_targets import tidy_instances
from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment


class FlipAndCrop(Augmentation):
    """Mirrors at random, cuts a random part of the same shape and enlarges it to `size`.

    Labels take the nearest pixel; what lies outside of the image would be ignored (-1, no object).

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

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The same part of image, semantic map and objects; objects left outside are dropped."""
        del moment
        labels = torch.stack((batch["semantic"] + 1, batch["instance"]), dim=1).float()
        image, labels = self.transform(batch["image"], labels)
        labels = labels.round().long()
        cropped: TrainingBatch = {
            **batch,
            "image": image.clamp(0.0, 1.0),
            "semantic": labels[:, 0] - 1,
            "instance": labels[:, 1],
        }
        return tidy_instances(cropped)
