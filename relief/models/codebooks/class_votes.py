"""Naming clusters with ground truth, as published. Supervision: whoever uses it says so."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.ops.matching import majority_assignment
from relief.ops.resize import resize_nearest
from relief.schema.label_spaces import VOID, LabelSpace, thing_mask


def patch_classes(target: Tensor, size: tuple[int, int]) -> Tensor:
    """The class under the centre of every patch.

    Args:
        target: (H, W) int64 class ids, -1 = void.
        size: (height, width) of the patch grid.

    Returns:
        (height * width,) int64 in the order of the grid.
    """
    return resize_nearest(target[None], size)[0].flatten()


def vote(features: Tensor, classes: Tensor, centroids: Tensor, num_classes: int) -> Tensor:
    """The class most of a cluster's features have; features belong to the nearest centroid.

    Args:
        features: (N, C) float, as centroids were fitted on.
        classes: (N,) int64 in 0..num_classes - 1.
        centroids: (k, C) raw means.
        num_classes: Number of classes.

    Returns:
        (k,) int64, the lowest class of several; -1 for a cluster without features.

    Raises:
        ValueError: A class is out of range.
    """
    if len(classes) and not (int(classes.min()) >= 0 and int(classes.max()) < num_classes):
        msg = f"classes must be in 0..{num_classes - 1}, got {classes.min()}..{classes.max()}"
        raise ValueError(msg)
    nearest = nearest_centroid(features, centroids)
    size = len(centroids) * num_classes
    votes = torch.bincount(nearest * num_classes + classes, minlength=size)
    return majority_assignment(votes.view(len(centroids), num_classes)).to(features.device)


def nearest_centroid(features: Tensor, centroids: Tensor) -> Tensor:
    """(N,) int64: the centroid (k, C) of least Euclidean distance to each feature (N, C)."""
    parts = features.split(65536)
    return torch.cat([torch.cdist(part, centroids).argmin(dim=1) for part in parts])


def groups_of_classes(class_of_cluster: Tensor, space: LabelSpace) -> tuple[Tensor, Tensor]:
    """Things and groups of clusters that have classes: a thing class is a group.

    Returns:
        thing_ids (k,) bool and groups (k,) int64, -1 for stuff and for clusters of no class.
    """
    is_thing = thing_mask(space.things, space.num_classes).to(class_of_cluster.device)
    group_of_class = torch.where(is_thing, is_thing.cumsum(0) - 1, VOID)
    has_class = class_of_cluster >= 0
    groups = torch.where(has_class, group_of_class[class_of_cluster.clamp(min=0)], VOID)
    return groups >= 0, groups


def missing_classes(class_of_cluster: Tensor, space: LabelSpace) -> list[str]:
    """Names of the classes that no cluster stands for."""
    there = set(class_of_cluster.tolist())
    return [name for class_id, name in enumerate(space.names) if class_id not in there]
