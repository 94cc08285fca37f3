"""Three uses of a mask's confidence in training: selection, blending, a softer loss.

Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024. The
confidence of an object is (H, W) in [0, 1] at image size and 0 outside its mask.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

Normalise = Literal["cells", "weights"]


def roi_weights(
    confidence: Tensor,
    masks: Tensor,
    boxes: Tensor,
    size: int = 28,
    floor: float = 0.5,
    outside: float = 1.0,
) -> Tensor:
    """Weights of the mask loss in the frame of each box.

    Args:
        confidence: (n, H, W) float in [0, 1], of each object.
        masks: (n, H, W) bool, of each object.
        boxes: (n, 4) float x0, y0, x1, y1 in px, one for each object.
        size: Cells of a side.
        floor: Least weight inside a mask; 0 takes confidence literally.
        outside: Weight outside a mask. 0, the literal reading, takes all background terms away:
            then ones everywhere would be the best prediction.

    Returns:
        (n, size, size) float32: ROIAlign of one map for each object; no gradient.
    """
    inside = confidence.detach().float().clamp(floor, 1.0)
    weight = torch.where(masks, inside, torch.full_like(inside, outside))
    return _cropped(weight, boxes, size)


def roi_targets(masks: Tensor, boxes: Tensor, size: int = 28) -> Tensor:
    """Masks (n, H, W) in the frame of their boxes (n, 4): (n, size, size) bool, as detectron2's."""
    return _cropped(masks.float(), boxes, size) >= 0.5


def _cropped(maps: Tensor, boxes: Tensor, size: int) -> Tensor:
    if not len(maps):
        return maps.new_zeros((0, size, size))
    number = torch.arange(len(maps), device=maps.device, dtype=boxes.dtype)[:, None]
    rois = torch.cat((number, boxes), dim=1).to(maps)
    return roi_align(maps[:, None], rois, size, 1.0, sampling_ratio=0, aligned=True)[:, 0]


def soft_mask_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, normalise: Normalise = "cells"
) -> Tensor:
    """Binary cross-entropy weighted cell by cell.

    Args:
        logits: (n, s, s) float.
        targets: (n, s, s) bool or float.
        weights: (n, s, s) float; no gradient enters them.
        normalise: Mean over all `cells`, or over the sum of the `weights`.

    Returns:
        A scalar; 0 with a gradient of 0 where there is no object.
    """
    if not logits.numel():
        return logits.sum()
    weight = weights.detach().to(logits)
    loss = F.binary_cross_entropy_with_logits(logits, targets.to(logits), weight, reduction="sum")
    total = weight.sum() if normalise == "weights" else logits.numel()
    return loss / total


def alpha(masks: Tensor, confidence: Tensor, floor: float = 0.5) -> Tensor:
    """Opacity of pasted objects: (H, W) float32, the greatest of overlapping ones, 0 elsewhere.

    Args:
        masks: (n, H, W) bool.
        confidence: (n, H, W) float in [0, 1].
        floor: Least opacity inside a mask.
    """
    opacity = confidence.float().clamp(floor, 1.0) * masks
    return opacity.amax(dim=0) if len(opacity) else opacity.sum(dim=0)


def blend(
    source: Tensor, target: Tensor, masks: Tensor, confidence: Tensor, floor: float = 0.5
) -> Tensor:
    """Pastes objects as opaque as they are sure.

    Args:
        source: (3, H, W) uint8 or float, where the objects are.
        target: (3, H, W) of the same dtype, onto which they go.
        masks: (n, H, W) bool in the frame of both.
        confidence: (n, H, W) float in [0, 1].
        floor: Least opacity inside a mask.

    Returns:
        (3, H, W), rounded where the images are integers; labels stay as sharp as the masks.
    """
    opacity = alpha(masks, confidence, floor)
    mixed = opacity * source.float() + (1 - opacity) * target.float()
    return (mixed if target.is_floating_point() else mixed.round()).to(target.dtype)


def mean_confidence(masks: Tensor, confidence: Tensor) -> Tensor:
    """Score of each object: mean confidence over its mask; (n,) float32, 0 for an empty mask."""
    inside = masks.float()
    return (confidence.float() * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)


def select_confident(scores: Tensor, fraction: float = 0.5) -> Tensor:
    """Chooses the surest objects of an image.

    Args:
        scores: (n,) float.
        fraction: How many: the ceiling of this share. Ties go to the lower index.

    Returns:
        Indices, ascending, int64.
    """
    count = math.ceil(fraction * len(scores))
    return scores.argsort(descending=True, stable=True)[:count].sort().values
