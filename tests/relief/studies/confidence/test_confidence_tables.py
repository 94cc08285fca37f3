import math

from relief.studies.confidence.confidence_tables import COVERAGES, confidence_tables

RUN = {"name": "edges", "images": 3, "object_precision/1.0": 20.0, "object_precision/0.7": 28.0}


def test_what_is_not_measured_is_unknown_and_precision_is_compared():
    tables = confidence_tables([RUN, {**RUN, "object_precision/0.7": 24.0}])
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    (row,) = tables[0].rows
    lift = row[tables[0].columns.index("70 over 100")]
    assert lift.mean == (1.4 + 1.2) / 2
    pixels = tables[2].rows[0][1 : 1 + len(COVERAGES)]
    assert all(math.isnan(cell.mean) for cell in pixels)


def test_no_runs_have_no_rows():
    assert all(table.rows == [] for table in confidence_tables([]))
