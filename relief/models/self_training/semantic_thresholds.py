"""Which pixels of a teacher's semantic map are sure enough to learn from."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.self_training.running_prior import RunningPrior
from relief.ops.self_training.adaptive_labels import class_adaptive_labels
from relief.schema.label_spaces import VOID
from relief.schema.training import SemanticThreshold


class ShareOfMaximum(SemanticThreshold):
    """Per image and class a share of the greatest probability it has in that image, no memory.

    A class survives at a pixel where it is strictly above its threshold; the pixel gets the most
    probable survivor, which need not be the most probable class (Hahn et al., "Scene-Centric
    Unsupervised Panoptic Segmentation", 2025, as published).

    Args:
        share: Of the maximum, in [0, 1]; at 1 nothing survives.
    """

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.share = share

    def forward(self, probabilities: Tensor) -> Tensor:
        """(B, C, H, W) probabilities -> (B, H, W) int64 class or -1."""
        threshold = self.share * probabilities.amax(dim=(2, 3), keepdim=True)
        surviving = torch.where(probabilities > threshold, probabilities, 0.0)
        classes = surviving.argmax(dim=1)
        return classes.masked_fill_(surviving.amax(dim=1) == 0, VOID)


class ClassAdaptiveThreshold(RunningPrior, SemanticThreshold):
    """Lower for classes that are rare over the training: they would never be learned otherwise.

    See `relief.ops.self_training.adaptive_labels.class_adaptive_labels`; its constants are those of
    Araslanov and Roth, 2021. The prior has as many values as the first batch has classes.

    Args:
        share: Of the maximum, for a class that is frequent.
        floor: Least threshold.
        beta: Prior at which the share is 1 - 1/e of the full one; the prior of an unseen class.
        momentum: Of the running prior.
    """

    def __init__(
        self,
        share: float = 0.75,
        floor: float = 0.2,
        beta: float = 1e-3,
        momentum: float = 0.99,
    ) -> None:
        super().__init__(momentum)
        self.share, self.floor, self.beta = share, floor, beta

    def forward(self, probabilities: Tensor) -> Tensor:
        """(B, C, H, W) probabilities -> (B, H, W) int64 class or -1; moves the prior first."""
        self.update_prior(probabilities)
        labels, _, _ = class_adaptive_labels(
            probabilities,
            self.prior_or(self.beta),
            share=self.share,
            floor=self.floor,
            beta=self.beta,
        )
        return labels
