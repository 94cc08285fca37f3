from __future__ import annotations

import math

from relief.reports.tables.quality import class_table, headline_first, percent, quality_table
from relief.schema.label_spaces import CITYSCAPES_19

METRICS = {
    "panopticapi/majority": {
        "pq": 26.74,
        "miou": math.nan,
        "other": 3,
        "per_class": {
            "tram": {"pq": None},
            "car": {"pq": 120.0, "sq": None, "rq": math.nan},
            "road": {"pq": 80.04, "sq": 82.0, "rq": 97.0},
        },
    },
    "cups/hungarian": {"pq": 1.0, "pq_stuff": 2.0},
}


def test_columns_are_those_that_any_row_has() -> None:
    assert quality_table(METRICS) == {
        "columns": ["PQ", "PQ stuff", "mIoU"],
        "rows": [
            {"name": "panopticapi/majority", "cells": ["26.7", "–", "–"]},
            {"name": "cups/hungarian", "cells": ["1.0", "2.0", "–"]},
        ],
    }


def test_classes_of_the_headline_in_the_order_of_the_space() -> None:
    table = class_table(METRICS, CITYSCAPES_19)
    assert table["columns"] == ["PQ", "SQ", "RQ"]
    road, car, tram = table["rows"]
    assert [row["name"] for row in table["rows"]] == ["road", "car", "tram"]
    assert (road["cells"], road["width"]) == (["80.0", "82.0", "97.0"], 80.0)
    assert (road["color"], road["is_thing"]) == ((128, 64, 128), False)
    assert (car["cells"], car["is_thing"]) == (["120.0", "–", "–"], True)
    assert (tram["cells"], tram["width"], tram["color"]) == (["–", "–", "–"], 0, None)


def test_the_default_protocol_is_the_headline_however_a_file_sorts() -> None:
    names = ["cups/hungarian", "cups/majority", "panopticapi/hungarian", "panopticapi/majority"]
    ordered = headline_first({name: {} for name in names})
    assert list(ordered) == [names[3], names[2], names[0], names[1]]


def test_without_metrics_there_is_no_table() -> None:
    assert quality_table(None) is None
    assert quality_table({}) is None
    assert class_table(None, CITYSCAPES_19) is None
    assert class_table({"a": {"pq": 1.0}}, None) is None
    assert percent(None) == percent(math.nan) == "–"
