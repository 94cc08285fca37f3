"""A published table: its own rows and columns, with the published figure of each cell.

A cell is a small sum over rows of a sweep, so that one description holds grids, best settings,
differences and shares alike. `configs/studies/` has one file for each published table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relief.schema.errors import UsageError
from relief.schema.plain_text import yaml_of
from relief.studies.sweeps.settings import BASELINE_AREA_PX, GRID

SweepRows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Select:
    """One row of a sweep.

    Args:
        source: Name of the source, such as `k=80`.
        gradient_threshold: Of this threshold; connected components without.
        min_area_px: And this area filter.
        best: Instead, the setting of the grid with the highest PQ among those with edges.
    """

    source: str
    gradient_threshold: float | None = None
    min_area_px: int = BASELINE_AREA_PX
    best: bool = False


@dataclass(frozen=True)
class Term:
    """A figure of a row, times a factor.

    Args:
        figure: Column of `sweep.csv`, in percent where it is a share.
        select: The row; the table row's own without.
        factor: What it is multiplied by.
    """

    figure: str
    select: Select | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        terms: Added up; none for a cell of text.
        text: Shown as it is.
        published: The figure in the published table.
        signed: Show a plus.
        digits: Decimals.
    """

    terms: list[Term] = field(default_factory=list)
    text: str | None = None
    published: float | None = None
    signed: bool = False
    digits: int = 2


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Args:
        cells: One for each column.
        select: The row of the sweep that terms without one are of.
    """

    cells: list[Cell]
    select: Select | None = None


@dataclass(frozen=True)
class PublishedTable:
    """A published table.

    Args:
        title: As it is published.
        columns: Headings.
        rows: Its rows.
        protocol: PQ protocol of its figures.
        note: What a reader must know about it.
        sample_note: And about ours on the sample.
    """

    title: str
    columns: list[str]
    rows: list[TableRow]
    protocol: str = "seed"
    note: str = ""
    sample_note: str = ""

    @property
    def sources(self) -> set[str]:
        """Names of the sources that its cells look at."""
        rows = {row.select.source for row in self.rows if row.select}
        terms = (term.select for row in self.rows for cell in row.cells for term in cell.terms)
        return rows | {select.source for select in terms if select}


def table_from(text: str) -> PublishedTable:
    """A table from YAML text.

    Raises:
        UsageError: A name in it is none of the fields above.
    """
    try:
        values = yaml_of(text)
        rows = [
            TableRow([_cell(cell) for cell in row["cells"]], _select(row.get("select")))
            for row in values["rows"]
        ]
        return PublishedTable(**{**values, "rows": rows})
    except (TypeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        msg = f"cannot read a published table: {text[:40]!r} ({reason}). Correct its file."
        raise UsageError(msg) from error


def _cell(values: Mapping[str, Any]) -> Cell:
    terms = [
        Term(**{**term, "select": _select(term.get("select"))}) for term in values.get("terms", ())
    ]
    return Cell(**{**values, "terms": terms})


def _select(values: Mapping[str, Any] | None) -> Select | None:
    return None if values is None else Select(**values)


def fill(table: PublishedTable, rows: SweepRows) -> list[list[str]]:
    """Every cell as text: our figure, the published one in brackets behind it.

    Args:
        table: The table.
        rows: Of a sweep; other protocols are passed over.
    """
    own = [row for row in rows if row["protocol"] == table.protocol]
    return [
        [_text(cell, _value(cell, row.select, own)) for cell in row.cells] for row in table.rows
    ]


def _text(cell: Cell, ours: float | None) -> str:
    sign = "+" if cell.signed else ""
    shown = "–" if ours is None else f"{ours:{sign}.{cell.digits}f}"
    if cell.text is not None:
        shown = cell.text
    elif not cell.terms:
        shown = ""
    published = "" if cell.published is None else f"({cell.published:{sign}.{cell.digits}f})"
    return f"{shown} {published}".strip()


def _value(cell: Cell, select: Select | None, rows: SweepRows) -> float | None:
    if not cell.terms:
        return None
    total = 0.0
    for term in cell.terms:
        row = _selected(term.select or select, rows)
        if row is None:
            return None
        total += term.factor * float(row[term.figure])
    return total


def _selected(select: Select | None, rows: SweepRows) -> Mapping[str, Any] | None:
    """The first row that fits; the headline assignment comes first in a sweep."""
    if select is None:
        return None
    own = [row for row in rows if row["source"] == select.source]
    if select.best:
        own = own and [row for row in own if row["assignment"] == own[0]["assignment"]]
        edges = [r for r in own if r["purpose"] == GRID and r["gradient_threshold"] is not None]
        return max(edges, key=lambda row: float(row["pq"]), default=None)
    for row in own:
        same = row["gradient_threshold"] == select.gradient_threshold
        if same and row["min_area_px"] == select.min_area_px:
            return row
    return None
