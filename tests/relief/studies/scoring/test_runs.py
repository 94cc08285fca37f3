import math

import pytest

from relief.studies.scoring.runs import mean_and_spread


def run(pq, things):
    per_class = {"car": {"pq": things, "iou": 1.0}}
    return {"seed/cups": {"pq": pq, "pq_things": things, "images": 3, "per_class": per_class}}


def test_mean_and_sample_deviation_of_three_runs():
    figures = mean_and_spread([run(20.0, 1.0), run(22.0, math.nan), run(27.0, 3.0)])["seed/cups"]
    assert figures["pq"] == 23
    assert figures["spread"]["pq"] == pytest.approx(13**0.5)
    assert figures["pq_things"] == 2
    assert figures["per_class"]["car"]["pq"] == 2
    assert [one["pq"] for one in figures["runs"]] == [20, 22, 27]


def test_one_run_is_itself():
    assert mean_and_spread([run(20.0, 1.0)]) == run(20.0, 1.0)
