"""Average precision and recall of instances without their classes, from joint tables.

`coco` is pycocotools over all images: IoU comes from the tables, so no mask is encoded. Labels
have no scores, so larger instances are ranked first. `per_image` is the variant of the seeds: the
precision of each image on its own, averaged over the images that have objects.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from relief.metrics.panoptic_statistics import Ids, Mask, Reals

MAX_INSTANCES = 100
THRESHOLDS = (0.5, 0.75)


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
    evaluation = _TableEvaluation(images)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    values = [_mean_of_known(precision[i]) for i in range(len(THRESHOLDS))]
    return {"ap50": values[0], "ap75": values[1], "recall": _mean_of_known(recall[0])}


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


def _mean_of_known(values: Reals) -> float:
    """Pycocotools marks what it could not compute with -1."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")


class _TableEvaluation(COCOeval):
    """pycocotools' evaluation with the IoU of the tables in place of encoded masks."""

    def __init__(self, images: Sequence[InstanceOverlaps]) -> None:
        super().__init__(iouType="segm")
        self.images = images
        self.params.imgIds = list(range(len(images)))
        self.params.catIds = [1]
        self.params.iouThrs = np.array(THRESHOLDS)
        self.params.maxDets = [MAX_INSTANCES]
        self.params.areaRng = [[0, 1e10]]
        self.params.areaRngLbl = ["all"]

    def _prepare(self) -> None:
        self._gts, self._dts = defaultdict(list), defaultdict(list)
        for index, image in enumerate(self.images):
            self._gts[index, 1] = [
                self._entry(i, area, iscrowd=int(crowd), ignore=int(crowd))
                for i, (area, crowd) in enumerate(zip(image.true_px, image.crowd, strict=True))
            ]
            self._dts[index, 1] = [
                self._entry(i, area, score=float(area)) for i, area in enumerate(image.predicted_px)
            ]

    @staticmethod
    def _entry(number: int, area: int, **values: Any) -> dict[str, Any]:
        return {"id": number + 1, "area": int(area), **values}

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802, N803, ARG002
        iou = self.images[imgId].iou()[:MAX_INSTANCES]
        return iou if iou.size else []
