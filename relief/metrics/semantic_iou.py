"""Mean IoU and pixel accuracy from pixel counts of categories against classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relief.metrics.panoptic_statistics import Categories, Ids, Reals
from relief.schema.label_spaces import VOID


@dataclass(frozen=True)
class CategoryCounts:
    """Pixels whose true class is known, by predicted category and true class.

    Attributes:
        pixels: (K, C) by category and row of the class.
        void_px: (C,) those whose predicted category is void or unknown.
    """

    pixels: Ids
    void_px: Ids

    def __add__(self, other: CategoryCounts) -> CategoryCounts:
        return CategoryCounts(self.pixels + other.pixels, self.void_px + other.void_px)


def category_counts(
    table: Ids, num_categories: int, true_categories: Categories, num_classes: int
) -> CategoryCounts:
    """Counts the rows of joint tables, whatever their instances.

    Args:
        table: (N, 5) rows of `relief.ops.panoptic.segment_table`.
        num_categories: Predicted categories 0..K-1; others are void.
        true_categories: Classes of the true categories; void ones are left out.
        num_classes: C.
    """
    true_class, _ = true_categories.of(table[:, 2])
    labelled = true_class != VOID
    category = table[labelled, 0]
    known = (category >= 0) & (category < num_categories)
    cell = np.where(known, category, num_categories) * num_classes + true_class[labelled]
    size = (num_categories + 1) * num_classes
    counts = np.bincount(cell, weights=table[labelled, 4], minlength=size).astype(np.int64)
    counts = counts.reshape(num_categories + 1, num_classes)
    return CategoryCounts(counts[:-1], counts[-1])


def confusion_matrix(counts: CategoryCounts, class_index: Ids) -> Ids:
    """(C, C + 1) pixels by true class and predicted class; the last column is predicted void.

    Args:
        counts: Pixels by category and class.
        class_index: (K,) row of the class of each category, -1 = void.
    """
    num_classes = counts.pixels.shape[1]
    confusion = np.zeros((num_classes + 1, num_classes), dtype=np.int64)
    np.add.at(confusion, class_index, counts.pixels)  # -1 adds to the last row: void
    confusion[-1] += counts.void_px
    return confusion.T


def iou_per_class(confusion: Ids, *, forgives_void: bool = False) -> Reals:
    """(C,) intersection over union in [0, 1]; nan for a class neither true nor predicted.

    Args:
        confusion: (C, C + 1) as `confusion_matrix`.
        forgives_void: Pixels predicted void do not count; else they are misses.
    """
    counted = confusion[:, :-1] if forgives_void else confusion
    right = np.diagonal(confusion).astype(np.float64)
    union = counted.sum(axis=1) + confusion[:, :-1].sum(axis=0) - right
    with np.errstate(divide="ignore", invalid="ignore"):
        return right / union


def semantic_averages(confusion: Ids, *, forgives_void: bool = False) -> dict[str, float]:
    """`miou`, the mean over the classes that occur, and `pixel_accuracy`, in [0, 1]."""
    iou = iou_per_class(confusion, forgives_void=forgives_void)
    counted = confusion[:, :-1] if forgives_void else confusion
    pixels = counted.sum()
    right = np.diagonal(confusion).sum()
    return {
        "miou": float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan"),
        "pixel_accuracy": float(right / pixels) if pixels else float("nan"),
    }
