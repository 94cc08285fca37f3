"""Semantics name objects, and objects paint semantics."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.ops.objects.panoptic_map import majority_category
from relief.schema.label_spaces import VOID


def voted_classes(semantic: Tensor, instance: Tensor) -> Tensor:
    """Class of each object by the majority of its pixels.

    Args:
        semantic: (H, W) int64, -1 = void, which has no vote.
        instance: (H, W) int64, 0 = none, 1..n.

    Returns:
        (n,) int64, -1 for an object without a vote; ties go to the lower class.
    """
    classes = int(semantic.max()) + 1 if semantic.numel() else 0
    return majority_category(semantic, instance, max(classes, 1))[1:]


def paint_instances(labels: Tensor, instance: Tensor, classes: Tensor) -> Tensor:
    """Paints objects with their class over labels.

    Args:
        labels: (H, W) int64; left as they are.
        instance: (H, W) int64, 0 = none, 1..n.
        classes: (n,) int64; objects of class -1 paint nothing.

    Returns:
        (H, W) int64.
    """
    of_instance = torch.cat((classes.new_full((1,), VOID), classes))
    painted = of_instance[instance].to(labels.dtype)
    return torch.where(painted == VOID, labels, painted)
