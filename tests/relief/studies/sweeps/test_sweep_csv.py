import csv
import math

from relief.studies.sweeps.sweep_csv import COLUMNS, write_sweep_csv

PROMISED = (
    "k,splitter,gradient_threshold,min_area_px,sigma,protocol,assignment,pq,pq_stuff,pq_things,sq,"
    "rq,instances_per_image"
)


def test_columns_begin_as_promised_and_what_does_not_exist_is_empty(tmp_path):
    rows = [{"k": 80, "pq": 26.740000000000002, "gradient_threshold": None, "sq": math.nan, "x": 1}]
    write_sweep_csv(tmp_path / "sweep.csv", rows)
    text = (tmp_path / "sweep.csv").read_text()
    assert text.startswith(PROMISED)
    (row,) = csv.DictReader(text.splitlines())
    assert (row["k"], row["pq"]) == ("80", "26.740000000000002")
    assert row["gradient_threshold"] == row["sq"] == row["rq"] == ""
    assert list(row) == list(COLUMNS)
