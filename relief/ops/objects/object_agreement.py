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
    if first.shape != second.shape:
        msg = f"Expected maps of one size, got {tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(msg)
    joint = joint_counts(first, second, int(first.max()) + 1, int(second.max()) + 1)
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
