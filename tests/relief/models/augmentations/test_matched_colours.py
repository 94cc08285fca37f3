from __future__ import annotations

import torch

from relief.models.augmentations.matched_colours import MatchedColours
from relief.schema.training import TrainingMoment

MEAN, DEVIATION = (0.3, 0.5, 0.6), (0.1, 0.05, 0.08)
TARGET_MEAN, TARGET_DEVIATION = (0.5, 0.4, 0.45), (0.05, 0.08, 0.1)


def test_statistics_become_those_of_the_target():
    noise = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    image = noise * torch.tensor(DEVIATION).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    match = MatchedColours(MEAN, DEVIATION, TARGET_MEAN, TARGET_DEVIATION)
    semantic = torch.zeros(2, 64, 64)
    moment = TrainingMoment(step=0, predict=lambda _: None)
    moved = match({"image": image, "semantic": semantic}, moment)
    means = moved["image"].mean(dim=(0, 2, 3))
    torch.testing.assert_close(means, torch.tensor(TARGET_MEAN), atol=5e-3, rtol=0)
    deviations = moved["image"].std(dim=(0, 2, 3))
    torch.testing.assert_close(deviations, torch.tensor(TARGET_DEVIATION), atol=5e-3, rtol=0)
    assert moved["semantic"] is semantic
