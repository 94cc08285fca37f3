"""How far the figures would move with other images: the percentile bootstrap over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relief.metrics.coco_evaluation import InstanceTable, precision_of_draws
from relief.metrics.panoptic_averages import averages_of_draws
from relief.metrics.panoptic_statistics import Ids, Mask, PanopticStatistics, Reals
from relief.metrics.protocols import PanopticProtocol

_AP_THRESHOLDS = np.linspace(0.5, 0.95, 10).tolist()


@dataclass(frozen=True)
class Resampling:
    """How images are drawn again.

    Attributes:
        samples: How many times.
        confidence: Share of the draws inside the interval.
        seed: Of the draws.
    """

    samples: int = 1000
    confidence: float = 0.95
    seed: int = 0


RESAMPLING = Resampling()


def bootstrap_intervals(
    statistics: PanopticStatistics,
    is_thing: Mask,
    protocol: PanopticProtocol,
    resampling: Resampling = RESAMPLING,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every average, in [0, 1].

    Images are drawn with replacement; an assignment of clusters stays as it was fitted.

    Args:
        statistics: Counts by image and class.
        is_thing: (C,) bool.
        protocol: How averages are taken.
        resampling: How images are drawn.

    Returns:
        (low, high) by name (`pq`, `pq_things`, ...); (nan, nan) where there is no figure.
    """
    draws = _draws(len(statistics.tp), resampling)
    averages = _averages(statistics, draws, is_thing, protocol)
    return {name: _interval(drawn, resampling.confidence) for name, drawn in averages.items()}


def paired_intervals(
    first: PanopticStatistics,
    second: PanopticStatistics,
    is_thing: Mask,
    protocol: PanopticProtocol,
    resampling: Resampling = RESAMPLING,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of what the second labels have more than the first, in [-1, 1].

    The same images are drawn for both, so that what is hard in an image is hard for both.

    Args:
        first: Counts by image and class.
        second: Those of other labels of the same images, in the same order.
        is_thing: (C,) bool.
        protocol: How averages are taken.
        resampling: How images are drawn.

    Returns:
        (low, high) by name, as `bootstrap_intervals`.

    Raises:
        ValueError: They are of different numbers of images.
    """
    _refuse_other_images(len(first.tp), len(second.tp))
    draws = _draws(len(first.tp), resampling)
    before = _averages(first, draws, is_thing, protocol)
    after = _averages(second, draws, is_thing, protocol)
    return {name: _interval(after[name] - before[name], resampling.confidence) for name in before}


def paired_precision_intervals(
    first: Sequence[InstanceTable],
    second: Sequence[InstanceTable],
    resampling: Resampling = Resampling(samples=300),
) -> dict[str, tuple[float, float, float]]:
    """Gains of second instances in AP and AP50, with percentile intervals, in [-1, 1].

    Args:
        first: Instances of each image, all of category 1.
        second: Others of the same images, in the same order.
        resampling: How images are drawn.

    Returns:
        (gain, low, high) of `ap` and `ap50`.

    Raises:
        ValueError: They are of different numbers of images.
    """
    _refuse_other_images(len(first), len(second))
    once = np.ones((1, len(first)), np.int64)
    draws = np.concatenate((once, _draws(len(first), resampling)))
    gains = np.subtract(
        precision_of_draws(second, draws, _AP_THRESHOLDS),
        precision_of_draws(first, draws, _AP_THRESHOLDS),
    )
    figures = {"ap": gains.mean(1), "ap50": gains[:, 0]}
    return {
        name: (float(values[0]), *_interval(values[1:], resampling.confidence))
        for name, values in figures.items()
    }


def _refuse_other_images(first: int, second: int) -> None:
    if first != second:
        msg = f"Expected the same images, got {first} and {second}"
        raise ValueError(msg)


def _draws(images: int, resampling: Resampling) -> Ids:
    """(samples, images) how often each image is drawn."""
    random = np.random.default_rng(resampling.seed)
    return random.multinomial(images, np.full(images, 1 / images), size=resampling.samples)


def _averages(
    statistics: PanopticStatistics, draws: Ids, is_thing: Mask, protocol: PanopticProtocol
) -> dict[str, Reals]:
    totals = {
        name: draws @ values
        for name, values in (
            ("iou_sum", statistics.iou_sum),
            ("tp", statistics.tp.astype(np.float64)),
            ("fp", statistics.fp.astype(np.float64)),
            ("fn", statistics.fn.astype(np.float64)),
        )
    }
    return averages_of_draws(totals, is_thing, protocol)


def _interval(drawn: Reals, confidence: float) -> tuple[float, float]:
    values, tail = drawn[np.isfinite(drawn)], 50 * (1 - confidence)
    low, high = np.percentile(values, (tail, 100 - tail)) if len(values) else (np.nan, np.nan)
    return float(low), float(high)
