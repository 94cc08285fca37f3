"""Which images a training draws, so that rare classes are seen."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor


def image_probabilities(
    pixels: Tensor, ignored_classes: Collection[int] = (), prior_weight: float = 0.25
) -> Tensor:
    """With what probability an image is drawn for a class.

    An image is drawn by its share of all pixels of the class, mixed with a uniform draw; uniformly
    for a class that is ignored or that no image holds.

    Args:
        pixels: (images, classes) pixels of each class in each image, of predictions.
        ignored_classes: Drawn uniformly.
        prior_weight: Weight of the uniform draw.

    Returns:
        (classes, images) float64; rows sum to 1.
    """
    counts = torch.as_tensor(pixels).double().T
    images = counts.shape[1]
    uniform = torch.full_like(counts, 1 / images)
    total = counts.sum(dim=1, keepdim=True)
    mixed = prior_weight * uniform + (1 - prior_weight) * counts / total.clamp(min=1)
    plain = total[:, 0] == 0
    plain[list(ignored_classes)] = True
    return torch.where(plain[:, None], uniform, mixed)
