"""How far the figures would move with other images: the percentile bootstrap over images."""

from __future__ import annotations

import numpy as np

from relief.metrics.panoptic_averages import averages_of_draws
from relief.metrics.panoptic_statistics import Mask, PanopticStatistics
from relief.metrics.protocols import PanopticProtocol


def bootstrap_intervals(
    statistics: PanopticStatistics,
    is_thing: Mask,
    protocol: PanopticProtocol,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every average, in [0, 1].

    Images are drawn with replacement; an assignment of clusters stays as it was fitted.

    Args:
        statistics: Counts by image and class.
        is_thing: (C,) bool.
        protocol: How averages are taken.
        samples: How many times the images are drawn.
        confidence: Share of the draws inside the interval.
        seed: Of the draws.

    Returns:
        (low, high) by name (`pq`, `pq_things`, ...); (nan, nan) where there is no figure.
    """
    images = len(statistics.tp)
    random = np.random.default_rng(seed)
    draws = random.multinomial(images, np.full(images, 1 / images), size=samples)
    totals = {
        name: draws @ values
        for name, values in (
            ("iou_sum", statistics.iou_sum),
            ("tp", statistics.tp.astype(np.float64)),
            ("fp", statistics.fp.astype(np.float64)),
            ("fn", statistics.fn.astype(np.float64)),
        )
    }
    tail = 50 * (1 - confidence)
    intervals = {}
    for name, drawn in averages_of_draws(totals, is_thing, protocol).items():
        values = drawn[np.isfinite(drawn)]
        low, high = np.percentile(values, (tail, 100 - tail)) if len(values) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return intervals
