"""Agreement of labels with those of another look at the same image."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.confidence.evidence import Evidence
from relief.ops.objects.object_agreement import best_overlaps


def agreement(evidence: Evidence, semantic: Tensor, instance: Tensor) -> Tensor:
    """Compares labels with others of the same image, made in the same way.

    Args:
        evidence: The labels.
        semantic: (h, w) int64 categories of the others.
        instance: (h, w) int64 objects of the others, numbered in any way.

    Returns:
        (h, w) float32: in objects the IoU with the object of the others that overlaps most,
        elsewhere 1 where the category is the same and 0 where it is not.
    """
    overlap = best_overlaps(evidence.instance, instance).to(evidence.instance.device)
    same = (semantic == evidence.semantic).float()
    return torch.where(evidence.instance > 0, overlap[evidence.instance], same)
