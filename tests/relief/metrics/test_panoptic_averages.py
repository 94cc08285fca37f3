import numpy as np
import pytest

from relief.metrics.panoptic_averages import (
    panoptic_averages,
    quality_per_class,
    total_statistics,
)
from relief.metrics.panoptic_statistics import PanopticStatistics
from relief.metrics.protocols import PANOPTICAPI, SEED

IS_THING = np.array([False, True, True, False])
TOTALS = {
    "iou_sum": np.array([1.6, 0.8, 0.0, 0.0]),
    "tp": np.array([2.0, 1.0, 0.0, 0.0]),
    "fp": np.array([0.0, 2.0, 2.0, 0.0]),
    "fn": np.array([0.0, 0.0, 0.0, 0.0]),
}


def test_means_over_the_classes_that_occur():
    found = panoptic_averages(TOTALS, IS_THING, PANOPTICAPI)
    assert found["pq"] == pytest.approx((0.8 + 0.4 + 0) / 3)
    assert found["sq"] == pytest.approx((0.8 + 0.8 + 0) / 3)
    assert found["rq_things"] == pytest.approx((0.5 + 0) / 2)
    assert found["pq_stuff"] == pytest.approx(0.8)
    assert np.isnan(quality_per_class(TOTALS)[3]).all()


def test_the_seed_pools_segments_for_sq_and_rq_only():
    found = panoptic_averages(TOTALS, IS_THING, SEED)
    assert found["pq"] == pytest.approx(0.4)
    assert found["sq"] == pytest.approx(2.4 / 3)
    assert found["rq"] == pytest.approx(3 / (3 + 2))
    assert found["rq_things"] == pytest.approx(1 / (1 + 2))


def test_totals_do_not_depend_on_the_order_of_images():
    random = np.random.default_rng(0)
    iou = random.random((200, 3))
    counts = random.integers(0, 4, (200, 3))
    order = random.permutation(200)
    nothing = np.zeros(200, np.int64)

    def totals(rows):
        own = PanopticStatistics(
            iou[rows],
            counts[rows],
            counts[rows],
            counts[rows],
            nothing,
            nothing,
            iou[rows],
            counts[rows],
        )
        return total_statistics(own)["iou_sum"].tolist()

    assert totals(np.arange(200)) == totals(order)
