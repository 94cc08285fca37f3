import math

from rich.console import Console

from relief.reports.tables.evaluation import (
    absorption_table,
    diagnosis_table,
    score_table,
)
from relief.studies.scoring.diagnose import MissedClass

FIGURES = {
    "pq": 53.12, "pq_things": 41.2, "pq_stuff": math.nan, "sq": 70.1, "rq": 60.5, "miou": 55.5,
    "ap50": None, "images": 48,
}  # fmt: skip


def printed(table):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def test_scores_with_an_interval_fit_80_columns():
    text = printed(
        score_table({"panopticapi/hungarian": {**FIGURES, "interval": {"pq": [50.2, 55.3]}}})
    )
    assert "of 48 images" in text
    row = next(line for line in text.splitlines() if "panopticapi/hungarian" in line)
    cells = "panopticapi/hungarian 53.1 50.2–55.3 41.2 – 70.1 60.5 55.5 –"
    assert row.split() == cells.split()


def test_scores_of_several_runs_show_the_spread():
    text = printed(score_table({"cups/cups": {**FIGURES, "spread": {"pq": 1.25}}}))
    assert "± runs" in text
    assert next(line for line in text.splitlines() if "cups/cups" in line).split()[1:3] == [
        "53.1",
        "1.2",
    ]


def test_absorption_names_the_four_largest():
    shares = {"wall": 70.2, "building": 13.0, "car": 9.0, "sky": 5.0, "road": 2.0}
    text = printed(diagnosis_table({"fence": 0.0}, {"fence": 7_520_000}, {"fence": shares}))
    assert "wall 70, building 13, car 9, sky 5" in text
    assert "7.5 M" in text
    assert "road" not in text


def test_missed_classes_are_a_row_each_as_published():
    fence = MissedClass("fence", [("wall", 70.2), ("building", 13.0)], 7_520_000)
    row = printed(absorption_table([fence])).splitlines()[-2]
    assert " ".join(row.split()) == "fence wall (70 %) + building (13 %) 7.5 M"
