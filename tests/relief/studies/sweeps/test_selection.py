import math

import pytest

from relief.studies.sweeps.selection import rank_settings


def row(pq, inside, count, coverage):
    return {
        "pq": pq, "edges_inside": inside, "instances_per_image": count, "thing_coverage": coverage,
    }  # fmt: skip


ROWS = [row(20.0, 9.0, 5.0, 99.0), row(24.0, 4.0, 9.0, 80.0), row(23.0, 6.0, 7.0, 90.0)]


def test_criteria_are_ranked_against_pq():
    inside, count, coverage = rank_settings("k=80", ROWS)
    assert inside["correlation"] == pytest.approx(1)
    assert (inside["chosen"], inside["best"]) == (ROWS[1], 24.0)
    assert count["correlation"] == pytest.approx(-1)
    assert coverage["correlation"] == pytest.approx(-1)
    assert coverage["chosen"] is ROWS[0]
    assert inside["source"] == "k=80"


def test_what_cannot_be_ranked_is_left_out():
    assert rank_settings("k", ROWS[:2]) == []
    without = [{**one, "edges_inside": math.nan, "thing_coverage": 100.0} for one in ROWS]
    assert [one["criterion"] for one in rank_settings("k", without)] == ["few instances"]
