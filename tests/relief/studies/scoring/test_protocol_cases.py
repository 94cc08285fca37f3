import math
from pathlib import Path

import pytest

from relief.studies.scoring.protocol_cases import (
    figures_by_protocol,
    protocol_cases,
    protocol_table,
)

PAGE = Path(__file__).parents[4] / "docs" / "protocols.md"


def test_the_page_shows_what_is_computed():
    assert protocol_table() in PAGE.read_text(encoding="utf-8")


def test_figures_by_hand():
    found = {case.name: figures_by_protocol(case) for case in protocol_cases()}
    half = found["left 60 % of a car found, the rest predicted void"]
    assert half["panopticapi"] == pytest.approx(100 * (0.6 + 1) / 2)
    assert half["cups"] == pytest.approx(100)
    road = found["a car missed: predicted road"]
    assert road == pytest.approx(dict.fromkeys(road, 100 * (3200 - 400) / 3200 / 2))
    group = found["one car found, one predicted in a group of cars"]
    assert group["seed"] == pytest.approx(100 * (1 / 1.5 + 1) / 2)


def test_protocols_differ_in_all_cases_but_two():
    same = [
        case.name
        for case in protocol_cases()
        if math.isclose(*sorted(figures_by_protocol(case).values())[::2])
    ]
    assert same == ["one car, found exactly", "a car missed: predicted road"]
