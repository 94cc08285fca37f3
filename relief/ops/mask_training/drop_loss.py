"""DropLoss: predictions far from every pseudo-label may be objects that nobody labelled.

Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou


def drop_loss_weights(predicted_boxes: Tensor, target_boxes: Tensor, iou: float = 0.01) -> Tensor:
    """Weights of the classification loss of predictions.

    Args:
        predicted_boxes: (n, 4) float x0, y0, x1, y1.
        target_boxes: (m, 4), all pseudo-labels of the image.
        iou: A prediction counts if its best IoU is above it.

    Returns:
        (n,) float32: 1 or 0. Without any pseudo-label nothing counts.
    """
    if not len(target_boxes):
        return predicted_boxes.new_zeros(len(predicted_boxes), dtype=torch.float32)
    best = box_iou(predicted_boxes.float(), target_boxes.float()).amax(dim=1)
    return (best > iou).float()
