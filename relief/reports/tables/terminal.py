"""The end of a run on the terminal: figures, times and where to look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from relief.reports.tables.quality import quality_table

_TERMINAL_COLUMNS = 6  # what fits 80 characters; the report has them all


def run_summary(
    metrics: Mapping[str, Mapping[str, Any]] | None,
    timings: Sequence[tuple[str, float]],
    report: Path | None,
) -> RenderableType:
    """The tables of `print_summary`.

    Args:
        metrics: As in `metrics.json`, in percent; `None` without ground truth.
        timings: Steps and their seconds.
        report: Path of the page, where one was written.
    """
    parts: list[RenderableType] = []
    quality = quality_table(metrics)
    if quality is not None:
        table = Table(title="Against ground truth, in percent", title_justify="left")
        table.add_column("protocol/assignment", no_wrap=True)
        for column in quality["columns"][:_TERMINAL_COLUMNS]:
            table.add_column(column, justify="right")
        for row in quality["rows"]:
            table.add_row(row["name"], *row["cells"][:_TERMINAL_COLUMNS])
        parts.append(table)
    if timings:
        table = Table(title="Time", title_justify="left")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for step, seconds in timings:
            table.add_row(step, f"{seconds:.1f}")
        table.add_section()
        table.add_row("all", f"{sum(seconds for _, seconds in timings):.1f}")
        parts.append(table)
    if report is not None:
        parts.append(Text.assemble("Report: ", (str(report), "bold")))
    return Group(*parts)


def print_summary(
    metrics: Mapping[str, Mapping[str, Any]] | None,
    timings: Sequence[tuple[str, float]],
    report: Path | None,
    console: Console | None = None,
) -> None:
    """Prints figures, times and the path of the report; arguments as `run_summary`."""
    (console or Console()).print(run_summary(metrics, timings, report), soft_wrap=False)


def print_run_summary(out: Path, timings: Sequence[tuple[str, float]]) -> None:
    """Prints the summary of a finished labelling run from what it left in OUT."""
    metrics, report = out / "metrics.json", out / "report.html"
    figures = json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else None
    print_summary(figures, timings, report if report.exists() else None)
