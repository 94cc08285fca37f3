import math

import pytest

from relief.studies.features.sample_features_summary import Comparison, compare, summarise


def row(features, k, seed, splitting, **figures):
    return {"features": features, "k": k, "seed": seed, "splitting": splitting, **figures}


ROWS = [
    row("learned", 27, 0, "edges", miou=30.0, pq=10.0),
    row("learned", 27, 1, "edges", miou=34.0, pq=14.0),
    row("learned", 27, 0, "components", miou=30.0, pq=9.0),
    row("learned", 27, 1, "components", miou=34.0, pq=11.0),
    row("rgb", 27, 0, "edges", miou=15.0, pq=math.nan),
    row("rgb", 27, 1, "edges", miou=17.0, pq=5.0),
]


def test_means_and_deviations_over_seeds_in_the_order_of_the_rows():
    summary = summarise(ROWS, ["miou", "pq"])
    assert [(one["features"], one["splitting"]) for one in summary] == [
        *(("learned", "edges"), ("learned", "components"), ("rgb", "edges"))
    ]
    assert summary[0]["miou"] == (32.0, pytest.approx(math.sqrt(8)))
    assert summary[2]["pq"][0] == 5.0
    assert math.isnan(summary[2]["pq"][1])


def test_a_ratio_is_of_means_and_an_aim_is_met_or_not():
    ratio = Comparison("miou", "learned", 27, "edges", over_features="rgb", aim=2.0)
    (one,) = compare(ROWS, [ratio])
    assert one.value.mean == 2.0
    assert one.value.deviation == pytest.approx(0)
    assert one.is_met is True
    (missed,) = compare(ROWS, [Comparison("miou", "learned", 27, "edges", "rgb", aim=2.01)])
    assert missed.is_met is False


def test_a_difference_is_paired_by_seed():
    gain = Comparison(
        *("pq", "learned", 27, "edges"), over_splitting="components", by="difference", published=1.9
    )
    (one,) = compare(ROWS, [gain])
    assert one.value == (2.0, pytest.approx(math.sqrt(2)))
    assert one.first.mean == 12.0
    assert one.other.mean == 10.0
    assert one.is_met is None


def test_what_was_not_run_is_left_out():
    assert compare(ROWS, [Comparison("miou", "learned", 80, "edges", over_k=27)]) == []
