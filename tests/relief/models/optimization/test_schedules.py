import pytest

from relief.models.optimization.schedules import WarmUp


def test_the_rate_rises_from_more_than_zero_and_stays():
    rate = WarmUp(steps=3)
    assert [rate(step, 100) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert WarmUp()(0, 100) == WarmUp()(99, 100) == 1.0


def test_a_cosine_ends_at_zero():
    rate = WarmUp(steps=2, cosine=True)
    assert rate(2, 10) == 1.0
    assert rate(6, 10) == pytest.approx(0.5)
    assert rate(10, 10) == rate(50, 10) == pytest.approx(0.0)
    assert WarmUp(steps=10, cosine=True)(10, 10) == 1.0  # nothing left to fall


def test_the_rate_falls_by_steps():
    rate = WarmUp(steps=1, decay_at=(4, 6), decay=0.5)
    assert [rate(step, 8) for step in range(8)] == [0.5, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
