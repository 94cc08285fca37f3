import csv
import math

from rich.console import Console

from relief.reports.study_report import study_table, write_study
from relief.studies.study import Gain, Spread, StudyResult, StudyTable

NAN = math.nan
TABLE = StudyTable(
    "Things",
    ("what", "ours", "gain", "published"),
    [
        ["edges", Spread(25.16, 0.23), Gain(1.5, 0.25, is_ratio=True), 26.7],
        ["components", Spread(1234.4, NAN), Gain(-0.333, NAN, is_ratio=False), None],
        ["nothing", Spread(NAN, NAN), Gain(NAN, NAN, is_ratio=True), NAN],
    ],
)
RUNS = [{"k": 27, "pq": 10 / 3}, {"k": 80, "pq": 0.1}]


def test_cells_say_how_sure_they_are(tmp_path):
    write_study(tmp_path, StudyResult([TABLE], RUNS, ["In percent."]))
    assert (tmp_path / "table.md").read_text() == (
        "In percent.\n\n**Things**\n\n"
        "| what | ours | gain | published |\n| --- | --- | --- | --- |\n"
        "| edges | 25.2 ± 0.2 | 1.50 ± 0.25 × | 26.7 |\n"
        "| components | 1234 | -0.33 |  |\n"
        "| nothing | – | – | – |\n"
    )


def test_every_run_is_in_the_csv_with_every_digit(tmp_path):
    assert write_study(tmp_path, StudyResult([TABLE], RUNS)) == ["table.csv", "table.md"]
    with (tmp_path / "table.csv").open() as file:
        assert [float(row["pq"]) for row in csv.DictReader(file)] == [10 / 3, 0.1]


def test_rows_may_have_figures_of_their_own(tmp_path):
    write_study(tmp_path, StudyResult([TABLE], [{"k": 27}, {"k": 80, "published pq": 1.5}]))
    assert (tmp_path / "table.csv").read_text() == "k,published pq\n27,\n80,1.5\n"


def test_curves_are_drawn_where_there_are_some(tmp_path):
    result = StudyResult([], RUNS, curves={"learned": [(1.0, 2.0)]}, axes=("log2 k", "mIoU, %"))
    assert "figure.svg" in write_study(tmp_path, result)
    assert "log2 k" in (tmp_path / "figure.svg").read_text()


def test_the_terminal_shows_the_same_cells(tmp_path):
    console = Console(width=120, record=True, file=(tmp_path / "screen").open("w"))
    console.print(study_table(TABLE))
    shown = console.export_text()
    assert "25.2 ± 0.2" in shown
    assert "1.50 ± 0.25 ×" in shown
    assert [c.justify for c in study_table(TABLE).columns] == ["left", "right", "right", "right"]
