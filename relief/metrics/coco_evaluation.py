"""pycocotools' average precision and recall from tables of overlaps: no mask is encoded for it."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from relief.metrics.panoptic_statistics import Ids, Mask, Reals


@dataclass(frozen=True)
class InstanceTable:
    """Predicted instances of one image against its objects.

    Attributes:
        iou: (P, T); with a crowd region, the share of the instance inside it.
        scores: (P,) the higher the surer.
        predicted_px: (P,) areas.
        true_px: (T,) areas.
        crowd: (T,) bool.
        predicted_category: (P,) ids.
        true_category: (T,) ids.
    """

    iou: Reals
    scores: Reals
    predicted_px: Reals | Ids
    true_px: Reals | Ids
    crowd: Mask
    predicted_category: Ids
    true_category: Ids


@dataclass(frozen=True)
class CocoRules:
    """Thresholds, numbers of instances and sizes that are measured.

    Attributes:
        thresholds: Smallest IoU of a match.
        max_instances: Of an image and category, rising: only the surest so many count.
        sizes_px: Areas from, to; by name, the first of them everything.
    """

    thresholds: Sequence[float]
    max_instances: Sequence[int]
    sizes_px: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class CocoCurves:
    """Curves as pycocotools accumulates them; nan where a category has no object of that size.

    Attributes:
        precision: (thresholds, recalls, categories, sizes, max_instances).
        recall: (thresholds, categories, sizes, max_instances).
    """

    precision: Reals
    recall: Reals


def coco_curves(
    images: Sequence[InstanceTable], category_ids: Sequence[int], rules: CocoRules
) -> CocoCurves:
    """Matches instances to objects of their category, surest first, as COCO does."""
    evaluation = _TableEvaluation(images, category_ids, rules)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    return CocoCurves(_known(precision), _known(recall))


def precision_of_draws(
    images: Sequence[InstanceTable], draws: Ids, thresholds: Sequence[float], most: int = 100
) -> Reals:
    """Average precision without classes where images are drawn again and again.

    Every image is matched once, however often it is drawn.

    Args:
        images: All of category 1.
        draws: (samples, images) how often each is drawn; every row has the sum of `images`.
        thresholds: Smallest IoU of a match.
        most: Only the surest so many instances of an image count.

    Returns:
        (samples, thresholds) in [0, 1]; nan where a draw has no object.
    """
    rules = CocoRules(thresholds, (most,), {"all": (0, 1e10)})
    evaluation = _TableEvaluation(images, [1], rules)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        matched = evaluation.evalImgs
        precision = []
        for draw in draws:
            evaluation.evalImgs = [matched[i] for i in np.repeat(np.arange(len(images)), draw)]
            evaluation.accumulate()
            curves = _known(evaluation.eval["precision"])
            precision.append([mean_of_known(one) for one in curves])
    return np.array(precision)


def mean_of_known(values: Reals) -> float:
    """Returns the mean of what is not nan; nan where nothing is known."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _known(values: Reals) -> Reals:
    """Pycocotools marks what it could not compute with -1."""
    return np.where(values > -1, values, np.nan)


class _TableEvaluation(COCOeval):
    """pycocotools' evaluation with the IoU of the tables in place of encoded masks."""

    def __init__(
        self, images: Sequence[InstanceTable], category_ids: Sequence[int], rules: CocoRules
    ) -> None:
        super().__init__(iouType="segm")
        self.images = images
        self.params.imgIds = list(range(len(images)))
        self.params.catIds = list(category_ids)
        self.params.iouThrs = np.array(rules.thresholds)
        self.params.maxDets = list(rules.max_instances)
        self.params.areaRng = [list(size) for size in rules.sizes_px.values()]
        self.params.areaRngLbl = list(rules.sizes_px)

    def _prepare(self) -> None:
        self._gts, self._dts = defaultdict(list), defaultdict(list)
        for index, image in enumerate(self.images):
            for i, category in enumerate(image.true_category.tolist()):
                crowd = int(image.crowd[i])
                entry = self._entry(i, image.true_px[i], iscrowd=crowd, ignore=crowd)
                self._gts[index, category].append(entry)
            for i, category in enumerate(image.predicted_category.tolist()):
                entry = self._entry(i, image.predicted_px[i], score=float(image.scores[i]))
                self._dts[index, category].append(entry)

    @staticmethod
    def _entry(number: int, area: float, **values: Any) -> dict[str, Any]:
        return {"id": number + 1, "area": float(area), **values}

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802, N803
        image = self.images[imgId]
        rows = np.flatnonzero(image.predicted_category == catId)
        columns = np.flatnonzero(image.true_category == catId)
        surest = np.argsort(-image.scores[rows], kind="mergesort")[: self.params.maxDets[-1]]
        iou: NDArray[np.float64] = image.iou[np.ix_(rows[surest], columns)]
        return iou if iou.size else []
