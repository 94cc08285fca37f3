"""From counts by class to PQ, SQ and RQ: of all classes, of things, of stuff, of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relief.metrics.panoptic_statistics import Ids, Mask, PanopticStatistics, Reals
from relief.metrics.protocols import PanopticProtocol

ALL_CLASSES, THINGS, STUFF = "", "_things", "_stuff"


def total_statistics(
    statistics: PanopticStatistics, images: Ids | None = None
) -> dict[str, NDArray[np.float64]]:
    """Sums over images, or over a sample of them, by class.

    Args:
        statistics: Counts by image and class.
        images: Image indices to sum over, with repetitions; all by default.

    Returns:
        `iou_sum`, `tp`, `fp`, `fn`, each (C,) float64.
    """
    chosen = slice(None) if images is None else images
    # Sorted, so that the order of the images changes no bit.
    iou_sum = np.sort(statistics.iou_sum[chosen], axis=0).sum(axis=0)
    counts = {"tp": statistics.tp, "fp": statistics.fp, "fn": statistics.fn}
    totals = {name: count[chosen].sum(axis=0).astype(np.float64) for name, count in counts.items()}
    return {"iou_sum": iou_sum, **totals}


def panoptic_averages(
    totals: dict[str, Reals], is_thing: Mask, protocol: PanopticProtocol
) -> dict[str, float]:
    """`pq`, `sq`, `rq` and the same with `_things` and `_stuff`, in [0, 1].

    Means are over the classes that occur, true or predicted; nan when none does.

    Args:
        totals: `total_statistics`.
        is_thing: (C,) bool by ascending class id.
        protocol: Whether SQ and RQ are means over classes or over all segments together.
    """
    drawn = {name: total[None] for name, total in totals.items()}
    averages = averages_of_draws(drawn, is_thing, protocol)
    return {name: float(values[0]) for name, values in averages.items()}


def averages_of_draws(
    totals: dict[str, Reals], is_thing: Mask, protocol: PanopticProtocol
) -> dict[str, Reals]:
    """`panoptic_averages` of several draws of images: totals (R, C), averages (R,)."""
    kinds = ((ALL_CLASSES, np.ones_like(is_thing)), (THINGS, is_thing), (STUFF, ~is_thing))
    averages: dict[str, Reals] = {}
    for suffix, kind in kinds:
        own = {name: total[:, kind] for name, total in totals.items()}
        means = _mean_over_classes(quality_per_class(own))
        if protocol.pools_segments:
            pooled = {name: total.sum(axis=1, keepdims=True) for name, total in own.items()}
            means[:, 1:] = quality_per_class(pooled)[:, 0, 1:]
        for column, name in enumerate(("pq", "sq", "rq")):
            averages[f"{name}{suffix}"] = means[:, column]
    return averages


def quality_per_class(totals: dict[str, Reals]) -> Reals:
    """(..., C, 3) PQ, SQ, RQ of each class in [0, 1]; nan where a class never occurs."""
    tp = totals["tp"]
    denominator = tp + 0.5 * totals["fp"] + 0.5 * totals["fn"]
    with np.errstate(divide="ignore", invalid="ignore"):
        segmentation = np.where(tp > 0, totals["iou_sum"] / tp, 0.0)
        recognition = tp / denominator
        panoptic = totals["iou_sum"] / denominator
    per_class = np.stack((panoptic, segmentation, recognition), axis=-1)
    per_class[denominator == 0] = np.nan
    return per_class


def _mean_over_classes(per_class: Reals) -> Reals:
    """(R, C, 3) -> (R, 3), over the classes that occur."""
    occurs = ~np.isnan(per_class)
    with np.errstate(invalid="ignore"):
        return np.where(occurs, per_class, 0.0).sum(axis=1) / occurs.sum(axis=1)
