from __future__ import annotations

import math

from relief.reports.quality_tables import class_rows, percent, quality_table
from relief.schema.label_spaces import CITYSCAPES_19

METRICS = {
    "panopticapi/majority": {
        "pq": 26.74,
        "miou": math.nan,
        "other": 3,
        "per_class": {
            "road": {"pq": 80.04, "sq": 82.0, "rq": 97.0},
            "car": {"pq": 120.0, "sq": None, "rq": math.nan},
            "tram": {"pq": None},
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


def test_classes_of_the_first_row() -> None:
    road, car, tram = class_rows(METRICS, CITYSCAPES_19)
    assert (road["pq"], road["width"], road["is_thing"]) == ("80.0", 80.0, False)
    assert road["color"] == (128, 64, 128)
    assert (car["sq"], car["rq"], car["is_thing"]) == ("–", "–", True)
    assert (tram["pq"], tram["width"], tram["color"]) == ("–", 0, None)


def test_without_metrics_there_is_no_table() -> None:
    assert quality_table(None) is None
    assert quality_table({}) is None
    assert class_rows(None, CITYSCAPES_19) == []
    assert class_rows({"a": {"pq": 1.0}}, None) == []
    assert percent(None) == percent(math.nan) == "–"
