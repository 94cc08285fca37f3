"""Which pixels of a teacher's semantic map are sure enough to learn from."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from relief.schema.label_spaces import VOID
from relief.schema.training import SemanticThreshold

SEEN = 1e-8
"""A class counts as seen once its mean probability in a batch is above this."""


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


class ClassAdaptiveThreshold(SemanticThreshold):
    """Lower for classes that are rare over the training: they would never be learned otherwise.

    Class c with the running prior chi_c is kept where it is the most probable one with more than
    max(share * (1 - exp(-chi_c / beta)) * m_c, floor), m_c its greatest probability among the
    pixels of the image where it is the most probable one (Araslanov and Roth, "Self-supervised
    Augmentation Consistency for Adapting Semantic Segmentation", 2021, with its constants).

    The prior is a buffer with as many values as the first batch has classes, and follows the mean
    over the batches of all processes, so that each of them thresholds alike.

    Args:
        share: Of the maximum, for a class that is frequent.
        floor: Least threshold.
        beta: Prior at which the share is 1 - 1/e of the full one; the prior of an unseen class.
        momentum: Of the running prior.
    """

    prior: Tensor

    def __init__(
        self,
        share: float = 0.75,
        floor: float = 0.2,
        beta: float = 1e-3,
        momentum: float = 0.99,
    ) -> None:
        super().__init__()
        self.share, self.floor, self.beta, self.momentum = share, floor, beta, momentum
        self.register_buffer("prior", torch.zeros(0))  # (C,) float32; 0 = not yet seen

    def forward(self, probabilities: Tensor) -> Tensor:
        """(B, C, H, W) probabilities -> (B, H, W) int64 class or -1; moves the prior first."""
        self.update_prior(probabilities)
        best, classes = probabilities.amax(dim=1), probabilities.argmax(dim=1)
        greatest = best.new_zeros(probabilities.shape[:2])
        greatest.scatter_reduce_(1, classes.flatten(1), best.flatten(1), "amax")
        prior = torch.where(self.prior > 0, self.prior, self.beta)
        threshold = self.share * (1 - torch.exp(-prior / self.beta)) * greatest
        limit = threshold.clamp_min(self.floor).gather(1, classes.flatten(1)).view_as(best)
        return torch.where(best > limit, classes, VOID)

    @torch.no_grad()
    def update_prior(self, probabilities: Tensor) -> None:
        """Moves the prior by one batch; a class seen for the first time takes its mean at once."""
        mean = probabilities.float().mean(dim=(0, 2, 3))
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(mean)
            mean /= dist.get_world_size()
        if len(self.prior) == 0:
            self.prior = torch.zeros_like(mean)
        moved = torch.lerp(mean, self.prior, self.momentum)
        first = torch.where(mean > SEEN, mean, 0.0)
        self.prior = torch.where(self.prior > 0, moved, first)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(f"{prefix}prior")
        if stored is not None:
            self.prior = torch.zeros_like(stored, device=self.prior.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)
