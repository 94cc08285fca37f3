"""Images with the colours of another domain."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment

Channels = Sequence[float]


class MatchedColours(Augmentation):
    """Shifts and stretches each channel from the statistics of one data set to those of another.

    `python -m relief.sources.channel_statistics` measures them. What leaves [0, 1] is cut off.

    Args:
        mean: Of the images that are trained on: red, green and blue in [0, 1].
        deviation: Their standard deviations.
        target_mean: What they become.
        target_deviation: The same for the standard deviations.
    """

    def __init__(
        self, mean: Channels, deviation: Channels, target_mean: Channels, target_deviation: Channels
    ) -> None:
        stretch = torch.tensor(target_deviation) / torch.tensor(deviation)
        self.stretch = stretch.view(3, 1, 1)
        self.shift = (torch.tensor(target_mean) - torch.tensor(mean) * stretch).view(3, 1, 1)

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """Returns the batch with other images, in [0, 1]; the labels are the ones given."""
        del moment
        image = batch["image"] * self.stretch.to(batch["image"]) + self.shift.to(batch["image"])
        return {**batch, "image": image.clamp(0.0, 1.0)}
