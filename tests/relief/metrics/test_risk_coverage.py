import numpy as np
import pytest

from relief.metrics.risk_coverage import RiskCoverage, kept_count, surest

ERROR = np.array([0.0, 1.0, 0.0, 1.0])


def test_the_best_order_has_the_area_of_the_oracle_and_the_worst_lies_beyond_random():
    best = RiskCoverage.of(np.array([0.9, 0.2, 0.8, 0.1]), ERROR)
    assert best.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert best.area == best.oracle == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert best.random == 0.5
    assert best.gain == pytest.approx(1)
    assert best.at(0.5) == 0
    assert best.at(1.0) == 0.5
    worst = RiskCoverage.of(np.array([0.1, 0.8, 0.2, 0.9]), ERROR)
    assert worst.area > worst.random
    assert worst.gain < 0


def test_those_equally_sure_share_their_errors_in_any_order():
    one = RiskCoverage.of(np.array([0.5, 0.5, 0.5, 0.1]), ERROR)
    other = RiskCoverage.of(np.array([0.5, 0.5, 0.5, 0.1]), ERROR[[1, 0, 2, 3]])
    assert one.risk.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 2])
    assert one.risk.tolist() == other.risk.tolist()
    all_alike = RiskCoverage.of(np.full(4, 0.5), ERROR)
    assert all_alike.area == all_alike.random
    assert all_alike.gain == 0


def test_where_all_are_right_no_order_is_better():
    right = RiskCoverage.of(np.array([0.1, 0.9]), np.zeros(2))
    assert np.isnan(right.gain)
    assert right.area == 0


def test_a_share_is_at_least_one_and_the_first_of_equals():
    assert kept_count(3, 0.01) == 1
    assert surest(np.array([0.5, 0.9, 0.5, 0.1]), 0.5).tolist() == [0, 1]


def test_nothing_has_no_curve():
    with pytest.raises(ValueError, match="as many errors"):
        RiskCoverage.of(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="as many errors"):
        RiskCoverage.of(np.zeros(2), np.zeros(3))
