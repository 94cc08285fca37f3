from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from relief.reports.tables.terminal import print_summary


def printed(*arguments) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_summary(*arguments, console)
    return console.file.getvalue()


def test_figures_times_and_the_path() -> None:
    metrics = {"panopticapi/majority": {"pq": 26.74, "miou": 47.0}}
    text = printed(metrics, [("labels", 12.34), ("report", 1.0)], Path("outputs/label/report.html"))
    lines = [line.strip(" │┃") for line in text.splitlines()]
    assert any(line.split() == ["panopticapi/majority", "│", "26.7", "│", "47.0"] for line in lines)
    assert any(line.split() == ["labels", "│", "12.3"] for line in lines)
    assert any(line.split() == ["all", "│", "13.3"] for line in lines)
    assert lines[-1] == "Report: outputs/label/report.html"


def test_without_ground_truth_there_is_no_table_of_figures() -> None:
    assert printed(None, [], None).strip() == ""
