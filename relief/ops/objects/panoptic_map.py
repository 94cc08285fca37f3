"""From a semantic map and instances to a panoptic map, and between sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.schema.label_spaces import VOID


def majority_category(
    semantic: Tensor, instance: Tensor, num_categories: int, largest: int | None = None
) -> Tensor:
    """The most frequent category of every instance; ties go to the lower id.

    Args:
        semantic: (H, W) int64, -1 = ignore.
        instance: (H, W) int64, 0 = none, 1..N.
        num_categories: Ids in `semantic` are below this.
        largest: N; a device is not waited for where it is known.

    Returns:
        (N + 1,) int64; entry 0, and instances without any category, are -1.
    """
    if largest is None:
        largest = int(instance.max()) if instance.numel() else 0
    size = largest + 1
    counted = (instance > 0) & (semantic >= 0)
    pairs = torch.where(counted, instance * num_categories + semantic, 0)  # 0: looked at by nobody
    votes = torch.zeros(size * num_categories, dtype=torch.int64, device=instance.device)
    votes = votes.scatter_add_(0, pairs.flatten(), counted.flatten().to(votes.dtype))
    votes = votes.view(size, num_categories)
    most, category = votes.max(dim=1)  # the first of equal maxima
    return torch.where(most > 0, category, torch.full_like(category, VOID))


def compose_panoptic(semantic: Tensor, instance: Tensor, num_categories: int) -> Tensor:
    """Panoptic map of one image.

    Args:
        semantic: (H, W) int64 cluster or class ids, -1 = ignore.
        instance: (H, W) int64, 0 = none, 1..N; may span several thing categories.
        num_categories: Number of cluster or class ids.

    Returns:
        (H, W, 2) int64 (category, instance): an instance has its majority category everywhere,
        thing pixels without an instance keep (category, 0), ignored pixels are (-1, 0).
    """
    of_instance = majority_category(semantic, instance, num_categories)
    category = torch.where(instance > 0, of_instance[instance], semantic)
    return torch.stack((category, torch.where(category < 0, 0, instance)), dim=-1)


def resize_depth(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Depth at another size: bilinear, as the sweep and the labeller both need it.

    Args:
        depth: (B, 1, h, w) float.
        size: (height, width) wanted; the same size returns the tensor itself.
    """
    if tuple(depth.shape[-2:]) == tuple(size):
        return depth
    return F.interpolate(depth, size=size, mode="bilinear", align_corners=False)
