"""Masks and boxes from a map of instance ids, and ids that stay 1..N."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.schema.training import InstanceTargets, TrainingBatch


def instance_boxes(instance: Tensor, num_instances: int) -> Tensor:
    """The boxes of all objects in one pass over the map.

    Args:
        instance: (H, W) int64, 0 = none, 1..num_instances.
        num_instances: How many objects there may be; ids without a pixel get an empty box.

    Returns:
        (num_instances, 4) float32 x0, y0, x1, y1, the last pixel included (x1 = max x + 1); zeros
        for an object without pixels.
    """
    rows, columns = torch.nonzero(instance, as_tuple=True)
    ids = instance[rows, columns] - 1
    far = max(instance.shape)
    low = torch.full((2, num_instances), far, dtype=torch.int64, device=instance.device)
    high = torch.zeros((2, num_instances), dtype=torch.int64, device=instance.device)
    for axis, position in enumerate((columns, rows)):
        low[axis].scatter_reduce_(0, ids, position, "amin")
        high[axis].scatter_reduce_(0, ids, position + 1, "amax")
    boxes = torch.stack((low[0], low[1], high[0], high[1]), dim=1).float()
    boxes[high[0] == 0] = 0.0
    return boxes


def renumber_instances(
    instance: Tensor, classes: Tensor, min_pixels: int = 1
) -> tuple[Tensor, Tensor]:
    """Drops objects that are too small and closes the gaps in the ids.

    Args:
        instance: (H, W) int64, 0 = none, n = the object with class `classes[n - 1]`.
        classes: (N,) int64.
        min_pixels: Objects with fewer pixels are dropped; their pixels become 0.

    Returns:
        The map with ids 1..M and the classes (M,) of the objects that are left, in the old order.
    """
    area = torch.bincount(instance.flatten(), minlength=len(classes) + 1)[1 : len(classes) + 1]
    kept = area >= max(min_pixels, 1)
    lookup = torch.zeros(len(classes) + 1, dtype=torch.int64, device=instance.device)
    lookup[1:] = torch.where(kept, kept.cumsum(0), 0)
    return lookup[instance], classes[kept]


def instance_targets(instance: Tensor, classes: Tensor) -> InstanceTargets:
    """The targets of a detector in one image: masks, boxes and classes of objects with pixels.

    Args:
        instance: (H, W) int64, 0 = none, n = the object with class `classes[n - 1]`.
        classes: (N,) int64.
    """
    instance, classes = renumber_instances(instance, classes)
    ids = torch.arange(1, len(classes) + 1, device=instance.device)
    return InstanceTargets(
        masks=instance[None] == ids[:, None, None],
        boxes=instance_boxes(instance, len(classes)),
        classes=classes,
    )


def tidy_instances(batch: TrainingBatch, min_pixels: int = 1) -> TrainingBatch:
    """The batch with the ids of every image closed up to 1..M, too small objects dropped."""
    instances, classes = [], []
    for one, its_classes in zip(batch["instance"], batch["classes"], strict=True):
        instance, kept = renumber_instances(one, its_classes, min_pixels)
        instances.append(instance)
        classes.append(kept)
    return {**batch, "instance": torch.stack(instances), "classes": classes}
