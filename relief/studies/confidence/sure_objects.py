"""Objects of labels with their scores: which are right, and what is left without some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from relief.metrics.panoptic_statistics import Ids
from relief.metrics.risk_coverage import Reals
from relief.ops.panoptic import segment_table
from relief.schema.label_spaces import VOID

LEVELS = 255
_MATCH = 0.5


@dataclass(frozen=True)
class SureObjects:
    """The objects of the labels of one image.

    Attributes:
        ids: (N, 2) category and instance.
        confidence: (N,) mean over their pixels.
        image_confidence: Mean over the image.
    """

    ids: Ids
    confidence: Reals
    image_confidence: float

    @classmethod
    def of(cls, panoptic: Tensor, confidence: Tensor) -> SureObjects:
        """Takes the mean confidence of each object.

        Args:
            panoptic: (H, W, 2) category and instance.
            confidence: (H, W) float32 in steps of 1/255.
        """
        level = (confidence * LEVELS).round().long()
        table = segment_table(panoptic, level[..., None].expand_as(panoptic)).numpy()
        table = table[table[:, 1] > 0]
        ids, group = np.unique(table[:, :2], axis=0, return_inverse=True)
        group = group.reshape(-1)
        pixels = np.bincount(group, table[:, 4], minlength=len(ids))
        total = np.bincount(group, table[:, 4] * table[:, 2], minlength=len(ids))
        mean = total / np.maximum(pixels, 1) / LEVELS
        return cls(ids, np.asarray(mean, np.float64), float(confidence.mean()))


def right_objects(table: Ids, ids: Ids, class_of_category: Ids) -> Reals:
    """Tells which objects match a true one: the same class, IoU above 0.5, true void left out.

    Args:
        table: (N, 5) of one image, as `relief.ops.panoptic.segment_table`.
        ids: (M, 2) category and instance of the objects.
        class_of_category: (K,) class ids.

    Returns:
        (M,) 1 for a match, else 0.
    """
    right = np.zeros(len(ids))
    for index, (category, instance) in enumerate(ids):
        own = (table[:, 0] == category) & (table[:, 1] == instance)
        known = own & (table[:, 2] != VOID)
        area_px = table[known, 4].sum()
        for _, _, true_class, true_instance, shared_px in table[known]:
            if true_class != class_of_category[category] or true_instance <= 0:
                continue
            of_true = (table[:, 2] == true_class) & (table[:, 3] == true_instance)
            union_px = area_px + table[of_true, 4].sum() - shared_px
            right[index] = max(right[index], float(shared_px > _MATCH * union_px))
    return right


def without_objects(table: Ids, ids: Ids) -> Ids:
    """Returns the table with some objects dropped: their pixels are things without an instance.

    Args:
        table: (N, 5) of one image.
        ids: (M, 2) category and instance.
    """
    kept = table.copy()
    for category, instance in ids:
        kept[(table[:, 0] == category) & (table[:, 1] == instance), 1] = 0
    return kept


def true_objects(table: Ids, things: Ids) -> int:
    """Counts the true objects of an image.

    Args:
        table: (N, 5) of one image.
        things: Class ids.
    """
    known = table[np.isin(table[:, 2], things) & (table[:, 3] > 0)]
    return len(np.unique(known[:, 2:4], axis=0))


def mean_ranks(confidences: list[Reals]) -> Reals:
    """Averages the ranks of the same objects under several confidences.

    Args:
        confidences: (N,) each.

    Returns:
        (N,) in [0, 1]; objects that are equally sure share a rank.
    """
    ranks = []
    for confidence in confidences:
        _, group, count = np.unique(confidence, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - count / 2)[group] / max(len(confidence), 1))
    return np.mean(ranks, axis=0)


def calibration(confidence: Reals, right: Reals, bins: int = 10) -> tuple[Reals, Reals, Reals]:
    """Compares scores with how often they are right, in bins of as many objects each.

    Args:
        confidence: (N,) in [0, 1].
        right: (N,) 1 for a match, else 0.
        bins: At most so many.

    Returns:
        Mean score, share that is right, and share of all objects of each bin, rising by score.
    """
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))
    return (
        np.array([confidence[part].mean() for part in parts]),
        np.array([right[part].mean() for part in parts]),
        np.array([len(part) / len(confidence) for part in parts]),
    )
