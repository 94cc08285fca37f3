"""Which objects of one image were found, missed and doubled, as COCO matches them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relief.metrics.instance_ap import overlaps
from relief.metrics.panoptic_statistics import Mask, Reals
from relief.schema.instances import ImageInstances

_MATCH = 0.5
_ON_OBJECT = 0.5  # share of an instance


@dataclass(frozen=True)
class InstanceMatches:
    """Instances of one image against its objects, at IoU 0.5.

    Attributes:
        right: (P,) instances that found an object.
        doubled: (P,) instances that found none and lie, by half or more, on an object that
            another instance found: parts of it, or the same again.
        wrong: (P,) instances that found none and are not doubled; those in crowds are none of all.
        found: (T,) objects.
        missed: (T,) objects; crowds are neither found nor missed.
    """

    right: Mask
    doubled: Mask
    wrong: Mask
    found: Mask
    missed: Mask

    def counts(self) -> dict[str, int]:
        """Returns how many there are of each, by name."""
        return {name: int(values.sum()) for name, values in vars(self).items()}


def match_instances(predicted: ImageInstances, true: ImageInstances, kind: str) -> InstanceMatches:
    """Gives each instance, surest first, the free object that it overlaps most.

    Args:
        predicted: Instances of any classes.
        true: Objects of the same image.
        kind: Whether `masks` or `boxes` are compared.
    """
    iou = overlaps(predicted, true, kind)
    share = overlaps(predicted, true, kind, of_instance=True)
    free = ~true.crowd
    right = np.zeros(len(predicted), dtype=bool)
    for i in np.argsort(-predicted.scores, kind="stable"):
        best = _best(iou[i], free)
        if best is not None:
            right[i], free[best] = True, False
    found = ~true.crowd & ~free
    in_crowd = _largest(share[:, true.crowd]) >= _MATCH
    doubled = ~right & (_largest(share[:, found]) >= _ON_OBJECT)
    wrong = ~right & ~doubled & ~in_crowd
    return InstanceMatches(right, doubled, wrong, found, ~true.crowd & free)


def _best(iou: Reals, free: Mask) -> int | None:
    if not free.any():
        return None
    best = int(np.argmax(np.where(free, iou, -1.0)))
    return best if iou[best] >= _MATCH else None


def _largest(shares: Reals) -> Reals:
    """(P,) the largest of each row, 0 where there is none."""
    return np.asarray(shares.max(axis=1, initial=0.0))
