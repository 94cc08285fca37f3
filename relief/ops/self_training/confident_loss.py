"""Cross-entropy against pseudo-labels, weighted by confidence and by how rare a class is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.schema.label_spaces import VOID


def confident_focal_loss(
    logits: Tensor, labels: Tensor, confidence: Tensor | None, prior: Tensor, power: float = 3.0
) -> Tensor:
    """Mean over all pixels of -(1 - prior_y)^power * confidence * log p(y); ignored ones count 0.

    Each pixel has the confidence of its own image (the published code weighs it by the mean of the
    batch at its place). Araslanov and Roth, 2021, equation 7.

    Args:
        logits: (B, C, h, w) float.
        labels: (B, h, w) int64, -1 = ignored.
        confidence: (B, h, w) float in [0, 1]; `None` is 1 everywhere.
        prior: (C,) share of each class.
        power: 0 for no focus on rare classes.

    Returns:
        A scalar.
    """
    loss = F.cross_entropy(logits, labels, ignore_index=VOID, reduction="none")
    weight = (1 - prior.to(logits)) ** power
    loss = loss * weight[labels.clamp(min=0)]
    if confidence is not None:
        loss = loss * confidence.to(logits)
    return torch.where(labels == VOID, torch.zeros_like(loss), loss).mean()
