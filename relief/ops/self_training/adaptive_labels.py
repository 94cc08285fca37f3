"""Pseudo-labels by thresholds that follow each class and how often it occurs.

Araslanov and Roth, "Self-supervised Augmentation Consistency for Adapting Semantic Segmentation",
2021. Ignored is -1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relief.schema.label_spaces import VOID

START = 1e-3
"""The prior of a class that was never seen."""
SEEN = 1e-8
"""A class counts as seen once its mean probability in a batch is above this."""


def update_prior(prior: Tensor, probabilities: Tensor, momentum: float = 0.99) -> Tensor:
    """Moves the running share of each class towards a batch.

    A class waits at `START` until a batch holds some of it; its first mean is taken whole.

    Args:
        prior: (C,) float.
        probabilities: (B, C, h, w) float, sums to 1 over C; padding counts.
        momentum: Share of the prior that stays.

    Returns:
        (C,) in the dtype of `prior`; a new tensor.
    """
    mean = probabilities.detach().mean(dim=(0, 2, 3)).to(prior)
    unseen = prior == torch.tensor(START, dtype=prior.dtype, device=prior.device)
    start = torch.where(unseen & (mean > SEEN), mean, prior)
    moved = momentum * start + (1 - momentum) * mean
    return torch.where(unseen & (mean <= SEEN), prior, moved)


def class_adaptive_labels(
    probabilities: Tensor,
    prior: Tensor | None,
    padding: Tensor | None = None,
    share: float = 0.75,
    floor: float = 0.2,
    beta: float = START,
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels the pixels that are sure enough for their class in their image.

    The threshold of a class is a share of its greatest probability in the image, lower for a rare
    class: max(floor, share * (1 - exp(-prior / beta)) * greatest).

    Args:
        probabilities: (B, C, h, w) float.
        prior: (C,) running shares, see `update_prior`; `None`: rare classes are like the others.
        padding: (B, h, w) bool; these pixels count in a class' greatest probability and have no
            label.
        share: Of the greatest probability of a class.
        floor: Least threshold.
        beta: How rare a class is that gets a lower threshold.

    Returns:
        Labels (B, h, w) int64, -1 where the probability is not above the threshold; confidence
        (B, h, w), the greatest probability, also where there is no label; thresholds (B, C).
    """
    confidence, winner = probabilities.max(dim=1)
    batch, classes = probabilities.shape[:2]
    top = confidence.new_zeros(batch, classes)
    top.scatter_reduce_(1, winner.flatten(1), confidence.flatten(1), "amax")
    if prior is not None:
        top = top * (1 - torch.exp(-prior.to(top) / beta))
    thresholds = (share * top).clamp(min=floor)
    asked = thresholds.gather(1, winner.flatten(1)).reshape(winner.shape)
    labels = torch.where(confidence > asked, winner, VOID)
    if padding is not None:
        labels = labels.masked_fill(padding, VOID)
    return labels, confidence, thresholds
