"""Predictions brought to the size that is asked for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.ops.objects.mask_paste import paste_masks
from relief.schema.errors import ReadError
from relief.schema.training import Detections, ScoredBoxes


def not_finite() -> ReadError:
    """Returns the error for an image of which a network says NaN or infinite values."""
    return ReadError(
        "outputs are not finite: the network gives NaN or infinite values for this image. "
        "Leave it out, or use another checkpoint."
    )


def resize_logits(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, C, *size), bilinear; as they are where that is their size."""
    if tuple(logits.shape[-2:]) == size:
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def paste_detections(
    found: ScoredBoxes, probabilities: Tensor, image_size: tuple[int, int], size: tuple[int, int]
) -> Detections:
    """Objects with masks of whole images; those whose box is empty are left out.

    Args:
        found: Objects of one image, boxes in px of `image_size`.
        probabilities: (N, M, M) float32 in [0, 1], the mask of each object over its box.
        image_size: (height, width) of the image.
        size: (height, width) of the masks; pixels with a probability of at least 0.5 are in.

    Raises:
        ReadError: Boxes or probabilities are not finite: the objects would silently be missing.
    """
    if not (torch.isfinite(found["boxes"]).all() and torch.isfinite(probabilities).all()):
        raise not_finite()
    scale = (size[1] / image_size[1], size[0] / image_size[0])
    boxes = found["boxes"] * found["boxes"].new_tensor(scale * 2)
    visible = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return Detections(
        masks=paste_masks(probabilities[visible], boxes[visible], size),
        boxes=boxes[visible],
        classes=found["classes"][visible],
        scores=found["scores"][visible],
    )
