"""How far two labellings of one image agree about its objects, without ground truth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from relief.ops.panoptic import joint_counts


class ObjectAgreement(NamedTuple):
    """Counts of one image.

    Attributes:
        first: Objects of the first labelling.
        second: Objects of the second one.
        shared: Pairs that overlap by more than half: at most one for each object.
        thing_px: Pixels in objects of the first and of the second, (2,) int64.
        both_px: Pixels in objects of both.
    """

    first: int
    second: int
    shared: int
    thing_px: Tensor
    both_px: int

    @property
    def agreement(self) -> float:
        """Shared objects among all, F1, in [0, 1]; 1 where neither has any."""
        objects = self.first + self.second
        return 2 * self.shared / objects if objects else 1.0


def object_agreement(first: Tensor, second: Tensor) -> ObjectAgreement:
    """Compares objects whatever they are called.

    Args:
        first: (H, W) int64, 0 = no object, 1..N.
        second: (H, W) int64 of the same image, numbered in any other way.

    Raises:
        ValueError: They differ in size.
    """
    joint = _joint(first, second)
    areas = joint.sum(dim=1)[1:], joint.sum(dim=0)[1:]
    shared = joint[1:, 1:]
    union = areas[0][:, None] + areas[1][None] - shared
    matched = int((2 * shared > union).sum())  # above a half no object has two partners
    return ObjectAgreement(
        int((areas[0] > 0).sum()),
        int((areas[1] > 0).sum()),
        matched,
        torch.stack((areas[0].sum(), areas[1].sum())),
        int(shared.sum()),
    )


def best_overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Computes the IoU of each object of one labelling with the best one of another.

    Args:
        first: (H, W) int64, 0 = no object, 1..N.
        second: (H, W) int64 of the same image, numbered in any other way.

    Returns:
        (N + 1,) float32 on the CPU; entry 0 is 1, numbers without a pixel have 0.

    Raises:
        ValueError: They differ in size.
    """
    joint = _joint(first, second)
    shared = joint[1:, 1:]
    union = joint.sum(dim=1)[1:, None] + joint.sum(dim=0)[None, 1:] - shared
    best = torch.ones(len(shared) + 1)
    overlap = shared / union.clamp(min=1)
    best[1:] = overlap.amax(dim=1) if overlap.shape[1] else 0.0
    return best


def _joint(first: Tensor, second: Tensor) -> Tensor:
    if first.shape != second.shape:
        msg = f"Expected maps of one size, got {tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(msg)
    return joint_counts(first, second, int(first.max()) + 1, int(second.max()) + 1)
