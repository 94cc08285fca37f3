"""From one round of self-training to the next: which labels are kept.

Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SAME_IOU = 0.5


def merge(
    old: Tensor, new: Tensor, scores: Tensor, threshold: float = 0.7
) -> tuple[Tensor, Tensor]:
    """Takes what a detector is sure of, and those old labels that it does not repeat.

    Args:
        old: (a, H, W) bool labels of the round before.
        new: (b, H, W) bool predictions.
        scores: (b,) of the predictions.
        threshold: Least score of a prediction.

    Returns:
        `kept_new` (b,) and `kept_old` (a,) bool: an old label stays where its best IoU with the
        kept predictions is below 0.5.
    """
    kept_new = scores >= threshold
    iou = mask_iou(old, new[kept_new.to(new.device)])
    best = iou.amax(dim=1) if iou.shape[1] else iou.new_zeros(len(old))
    return kept_new, best < _SAME_IOU


def mask_iou(first: Tensor, second: Tensor) -> Tensor:
    """(a, b) float64 IoU of all pairs of masks (a, H, W) and (b, H, W); 0 for two empty ones."""
    left, right = first.flatten(1).double(), second.flatten(1).double()
    shared = left @ right.T
    union = left.sum(1)[:, None] + right.sum(1)[None] - shared
    return torch.where(union > 0, shared / union.clamp(min=1), torch.zeros_like(shared))
