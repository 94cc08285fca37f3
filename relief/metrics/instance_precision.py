"""Average precision and recall of instances without their classes, from joint tables.

`coco` is pycocotools over all images: IoU comes from the tables, so no mask is encoded. Labels
have no scores, so larger instances are ranked first. `per_image` is the variant of the seeds: the
precision of each image on its own, averaged over the images that have objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relief.metrics.coco_evaluation import (
    CocoRules,
    InstanceTable,
    coco_curves,
    mean_of_known,
)
from relief.metrics.panoptic_statistics import Ids, Mask, Reals

MAX_INSTANCES = 100
THRESHOLDS = (0.5, 0.75)
_RULES = CocoRules(THRESHOLDS, (MAX_INSTANCES,), {"all": (0, 1e10)})


@dataclass(frozen=True)
class InstanceOverlaps:
    """Instances of one image against its objects.

    Attributes:
        intersection_px: (P, T) pixels.
        predicted_px: (P,) areas, falling.
        true_px: (T,) areas.
        crowd: (T,) bool, regions of things without single objects.
    """

    intersection_px: Ids
    predicted_px: Ids
    true_px: Ids
    crowd: Mask

    def iou(self) -> Reals:
        """(P, T) IoU; of a crowd region, the share of the instance inside it."""
        union = self.predicted_px[:, None] + self.true_px[None] - self.intersection_px
        union = np.where(self.crowd[None], self.predicted_px[:, None], union)
        return self.intersection_px / np.maximum(union, 1)


def instance_overlaps(
    table: Ids, thing_categories: Sequence[int], thing_classes: Sequence[int]
) -> InstanceOverlaps:
    """Reads the instances out of the (N, 5) table of one image."""
    is_instance = np.isin(table[:, 0], thing_categories) & (table[:, 1] > 0)
    is_object = np.isin(table[:, 2], thing_classes)
    predicted, of_row = np.unique(table[is_instance, :2], axis=0, return_inverse=True)
    true, of_true = np.unique(table[is_object, 2:4], axis=0, return_inverse=True)
    row_of, column_of = np.full((2, len(table)), -1)
    row_of[is_instance], column_of[is_object] = of_row.reshape(-1), of_true.reshape(-1)
    pixels = table[:, 4]
    counts = np.zeros((len(predicted), len(true)), np.int64)
    both = is_instance & is_object
    np.add.at(counts, (row_of[both], column_of[both]), pixels[both])
    predicted_px = np.zeros(len(predicted), np.int64)
    np.add.at(predicted_px, row_of[is_instance], pixels[is_instance])
    true_px = np.zeros(len(true), np.int64)
    np.add.at(true_px, column_of[is_object], pixels[is_object])
    order = np.argsort(-predicted_px, kind="stable")
    return InstanceOverlaps(counts[order], predicted_px[order], true_px, true[:, 1] == 0)


def coco_instance_precision(images: Sequence[InstanceOverlaps]) -> dict[str, float]:
    """`ap50`, `ap75`, and `recall` at IoU 0.5 with at most 100 instances an image, in [0, 1]."""
    curves = coco_curves([_by_area(image) for image in images], [1], _RULES)
    ap50, ap75 = (mean_of_known(precision) for precision in curves.precision)
    return {"ap50": ap50, "ap75": ap75, "recall": mean_of_known(curves.recall[0])}


def per_image_instance_precision(images: Sequence[InstanceOverlaps]) -> dict[str, float]:
    """The same names; means over the images that have objects, crowd regions left out."""
    figures: dict[str, list[float]] = defaultdict(list)
    for image in images:
        iou = image.iou()[:MAX_INSTANCES, ~image.crowd]
        if iou.shape[1] == 0:
            continue
        hits = [_greedy_hits(iou, threshold) for threshold in THRESHOLDS]
        for name, hit in zip(("ap50", "ap75"), hits, strict=True):
            precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
            figures[name].append(float(precision[hit].sum() / iou.shape[1]))
        figures["recall"].append(float(hits[0].sum() / iou.shape[1]))
    return {
        name: float(np.mean(figures[name])) if figures[name] else float("nan")
        for name in ("ap50", "ap75", "recall")
    }


def _greedy_hits(iou: Reals, threshold: float) -> Mask:
    """(P,) whether each instance, in order, finds an object of its own."""
    free = np.ones(iou.shape[1], dtype=bool)
    hits = np.zeros(len(iou), dtype=bool)
    for i, row in enumerate(iou):
        best = int(np.argmax(np.where(free, row, -1.0)))
        if free[best] and row[best] >= threshold:
            free[best], hits[i] = False, True
    return hits


def _by_area(image: InstanceOverlaps) -> InstanceTable:
    """One category, larger instances first."""
    predicted_px = image.predicted_px.astype(np.float64)
    predicted, true = (np.ones(len(px), np.int64) for px in (image.predicted_px, image.true_px))
    return InstanceTable(
        image.iou(), predicted_px, predicted_px, image.true_px, image.crowd, predicted, true
    )
