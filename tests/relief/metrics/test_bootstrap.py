from dataclasses import replace

import numpy as np
import pytest

from relief.metrics.bootstrap import Resampling, bootstrap_intervals, paired_intervals
from relief.metrics.panoptic_averages import panoptic_averages, total_statistics
from relief.metrics.panoptic_statistics import PanopticStatistics
from relief.metrics.protocols import PANOPTICAPI, SEED

THINGS = np.array([False, True])


def statistics(images, spread):
    random = np.random.default_rng(0)
    tp = random.integers(1, 1 + spread, (images, 2))
    fp = random.integers(0, spread, (images, 2))
    counts = np.zeros(images, np.int64)
    return PanopticStatistics(0.8 * tp, tp, fp, fp, counts, counts, 0.8 * tp, tp)


@pytest.mark.parametrize("protocol", [PANOPTICAPI, SEED])
def test_the_interval_holds_the_figure_and_shrinks_with_more_images(protocol):
    widths = []
    for images in (10, 400):
        sample = statistics(images, 6)
        low, high = bootstrap_intervals(sample, THINGS, protocol)["pq"]
        figure = panoptic_averages(total_statistics(sample), THINGS, protocol)["pq"]
        assert low < figure < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 4


def test_equal_images_leave_no_doubt_and_seeds_repeat():
    sample = statistics(5, 1)
    low, high = bootstrap_intervals(sample, THINGS, PANOPTICAPI)["pq_things"]
    assert low == pytest.approx(high)
    random = statistics(10, 6)
    first = bootstrap_intervals(random, THINGS, PANOPTICAPI, Resampling(samples=50, seed=3))
    assert first == bootstrap_intervals(random, THINGS, PANOPTICAPI, Resampling(samples=50, seed=3))


def test_what_is_hard_is_hard_for_both():
    first = statistics(30, 6)
    better = replace(first, iou_sum=first.iou_sum * 1.05)
    low, high = paired_intervals(first, better, THINGS, PANOPTICAPI)["pq"]
    own_low, own_high = bootstrap_intervals(first, THINGS, PANOPTICAPI)["pq"]
    assert 0 < low < high
    assert high - low < (own_high - own_low) / 5
    same = paired_intervals(first, first, THINGS, PANOPTICAPI)
    assert set(same.values()) == {(0.0, 0.0)}
    with pytest.raises(ValueError, match="Expected the same images, got 30 and 10"):
        paired_intervals(first, statistics(10, 6), THINGS, PANOPTICAPI)
