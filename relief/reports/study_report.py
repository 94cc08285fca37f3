"""A study as files and as tables in the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table

from relief.formats.files.atomic import write_text
from relief.reports.figures.line_figure import line_figure


class _Table(Protocol):
    """Fits `relief.studies.study.StudyTable`."""

    @property
    def title(self) -> str: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...


class _Result(Protocol):
    """Fits `relief.studies.study.StudyResult`."""

    @property
    def tables(self) -> Sequence[_Table]: ...
    @property
    def runs(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def curves(self) -> Mapping[str, Sequence[tuple[float, float]]]: ...
    @property
    def axes(self) -> tuple[str, str]: ...


def write_study(out: Path, result: _Result) -> list[str]:
    """Writes OUT/table.csv (every run, every digit), table.md and, with curves, figure.svg.

    Args:
        out: The folder.
        result: Of the study.

    Returns:
        The names of the files.

    Raises:
        WriteError: A file cannot be written.
    """
    texts = {"table.csv": _csv(result.runs), "table.md": _markdown(result)}
    if result.curves:
        texts["figure.svg"] = line_figure(result.curves, *result.axes)
    for name, text in texts.items():
        write_text(out / name, text)
    return list(texts)


def study_table(table: _Table) -> Table:
    """The table for the terminal; columns that hold numbers only are right-aligned and narrow."""
    is_text = [
        any(isinstance(row[i], str) for row in table.rows) for i in range(len(table.columns))
    ]
    gap = 1 if any(is_text[1:]) else 0  # right-aligned numbers stand apart as they are
    shown = Table(
        title=table.title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
        show_edge=False,  # every column counts in 80 characters
    )
    for i, column in enumerate(table.columns):
        heading = column if is_text[i] else "\n".join(column.split())
        shown.add_column(heading, justify="left" if is_text[i] else "right", no_wrap=i == 0)
    for row in table.rows:
        shown.add_row(*(_text(cell) for cell in row))
    return shown


def _markdown(result: _Result) -> str:
    parts = list(result.notes)
    for table in result.tables:
        lines = [list(table.columns), ["---"] * len(table.columns)]
        lines += [[_text(cell) for cell in row] for row in table.rows]
        shown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts += [f"**{table.title}**", shown]
    return "\n\n".join(parts) + "\n"


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        return _doubtful(*cell)
    if isinstance(cell, float):
        return f"{cell:.1f}" if math.isfinite(cell) else "–"
    return str(cell)


def _doubtful(mean: float, deviation: float, is_ratio: bool | None = None) -> str:
    """A mean with its deviation: a figure, or a gain with its sign or as a factor."""
    if not math.isfinite(mean):
        return "–"
    digits = (0 if abs(mean) >= 1000 else 1) if is_ratio is None else 2
    doubt = f" ± {deviation:.{digits}f}" if math.isfinite(deviation) else ""
    sign = "+" if is_ratio is False else ""
    return f"{mean:{sign}.{digits}f}{doubt}{' ×' if is_ratio else ''}"


def _csv(runs: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    fields = dict.fromkeys(name for run in runs for name in run)  # not every row has all
    writer = csv.DictWriter(text, list(fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(runs)
    return text.getvalue()
