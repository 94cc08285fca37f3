import pytest

from relief.schema.errors import UsageError
from relief.studies.published.table import (
    Cell,
    PublishedTable,
    Select,
    TableRow,
    Term,
    fill,
    table_from,
)


def row(source, tau, area, pq, purpose="grid", assignment="majority", protocol="seed"):
    return {
        "source": source, "gradient_threshold": tau, "min_area_px": area, "pq": pq,
        "purpose": purpose, "assignment": assignment, "protocol": protocol,
    }  # fmt: skip


ROWS = [
    row("k=80", None, 10, 24.0),
    row("k=80", None, 10, 1.0, assignment="hungarian"),
    row("k=80", 0.2, 500, 25.0),
    row("k=80", 0.2, 1000, 26.5),
    row("k=80", 0.2, 1000, 99.0, protocol="cups"),
    row("k=80", 0.2, 1000, 98.0, assignment="hungarian"),
    row("k=80", None, 1000, 90.0, purpose="area_filter"),
]


def filled(*cells, select=None):
    return fill(PublishedTable("t", ["a"] * len(cells), [TableRow(list(cells), select)]), ROWS)[0]


def test_a_cell_is_our_figure_with_the_published_behind_it():
    select = Select("k=80", 0.2, 1000)
    assert filled(Cell([Term("pq")], published=26.74), select=select) == ["26.50 (26.74)"]
    assert filled(Cell([Term("pq")]), select=Select("k=80")) == ["24.00"]
    assert filled(Cell(text="CC"), Cell(published=57.4)) == ["CC", "(57.40)"]


def test_the_best_is_among_edges_of_the_headline_assignment():
    best, base = Select("k=80", best=True), Select("k=80")
    gain = Cell([Term("pq", best), Term("pq", base, -1.0)], published=1.9, signed=True, digits=1)
    assert filled(gain) == ["+2.5 (+1.9)"]


def test_what_was_not_run_is_a_dash():
    missing = Cell([Term("pq")], published=25.6)
    assert filled(missing, select=Select("k=300")) == ["– (25.60)"]
    assert filled(missing, select=Select("k=80", 0.3, 10)) == ["– (25.60)"]


def test_sources_are_those_the_cells_look_at():
    table = PublishedTable(
        "t", ["a"], [TableRow([Cell([Term("pq", Select("b"))])], Select("a")), TableRow([])]
    )
    assert table.sources == {"a", "b"}


TEXT = """
title: "Table 1: one"
columns: [a, b]
rows:
- select: {source: k=50}
  cells:
  - {terms: [{figure: pq, select: {source: k=80}, factor: 0.5}], published: 1}
  - {text: '0.30'}
"""


def test_text_becomes_a_table():
    table = table_from(TEXT)
    term = Term("pq", Select("k=80"), 0.5)
    cells = [Cell([term], published=1), Cell(text="0.30")]
    assert table.rows == [TableRow(cells, Select("k=50"))]
    assert table.title == "Table 1: one"
    for wrong in (TEXT.replace("text:", "txt:"), TEXT.replace("rows:", "lines:"), "a: [", ""):
        with pytest.raises(UsageError, match="cannot read a published table"):
            table_from(wrong)
