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
    totals: dict[str, Reals],
    is_thing: Mask,
    protocol: PanopticProtocol,
    averaged: Mask | None = None,
) -> dict[str, float]:
    """`pq`, `sq`, `rq` and the same with `_things` and `_stuff`, in [0, 1].

    Means are over the classes that occur, true or predicted; nan when none does.

    Args:
        totals: `total_statistics`.
        is_thing: (C,) bool by ascending class id.
        protocol: Whether SQ and RQ are means over classes or over all segments together.
        averaged: (C,) bool, the classes that means are taken over; all by default.
    """
    drawn = {name: total[None] for name, total in totals.items()}
    averages = averages_of_draws(drawn, is_thing, protocol, averaged)
    return {name: float(values[0]) for name, values in averages.items()}


def averages_of_draws(
    totals: dict[str, Reals],
    is_thing: Mask,
    protocol: PanopticProtocol,
    averaged: Mask | None = None,
) -> dict[str, Reals]:
    """`panoptic_averages` of several draws of images: totals (R, C), averages (R,)."""
    all_classes = np.ones_like(is_thing) if averaged is None else averaged
    kinds = (
        (ALL_CLASSES, all_classes),
        (THINGS, all_classes & is_thing),
        (STUFF, all_classes & ~is_thing),
    )
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


def pq_plus(statistics: PanopticStatistics, is_thing: Mask, averaged: Mask | None = None) -> float:
    """Mean over classes of PQ for things and PQ-dagger for stuff, in [0, 1].

    PQ-dagger of a stuff class is the sum of the IoU of predicted and true segments of one image,
    matched or not, over the images that hold the class (Porzi et al., "Seamless Scene
    Segmentation", 2019). Stuff that is nowhere true and things that occur nowhere are left out.
    """
    quality = quality_per_class(total_statistics(statistics))[:, 0]
    true = statistics.true_segments.sum(axis=0)
    overlap = np.sort(statistics.stuff_iou_sum, axis=0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        dagger = np.where(true > 0, overlap / true, np.nan)
    return _mean_of(np.where(is_thing, quality, dagger), averaged)


def precision50(
    statistics: PanopticStatistics, is_thing: Mask, averaged: Mask | None = None
) -> float:
    """Mean of TP / (TP + FP) over the things with a prediction that counts, in [0, 1].

    A precision at an IoU of 0.5, blind to what is missed; the "mAP" of self-trained panoptic
    segmentation (seed 003), and no average precision.
    """
    totals = total_statistics(statistics)
    predicted = totals["tp"] + totals["fp"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(is_thing & (predicted > 0), totals["tp"] / predicted, np.nan)
    return _mean_of(share, averaged)


def _mean_of(per_class: Reals, averaged: Mask | None) -> float:
    """Mean (C,) over the chosen classes that are defined; nan where none is."""
    chosen = per_class if averaged is None else per_class[averaged]
    defined = chosen[~np.isnan(chosen)]
    return float(defined.mean()) if len(defined) else float("nan")


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
