"""Tables of `evaluate.py` for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table

from relief.reports.tables.instances import INSTANCE_COLUMNS, instance_rows

COLUMNS = {
    "pq_things": "things",
    "pq_stuff": "stuff",
    "sq": "SQ",
    "rq": "RQ",
    "miou": "mIoU",
    "ap50": "AP50",
}


def score_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row for each protocol and assignment, 80 characters wide."""
    first = next(iter(metrics.values()))
    title = f"Against ground truth of {first['images']:g} images, in percent"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("PQ", "± runs" if "spread" in first else "95 %", *COLUMNS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in metrics.items():
        row = [_number(figures[column]) for column in COLUMNS]
        table.add_row(name, _number(figures["pq"]), _doubt(figures), *row)
    return table


def sweep_table(sections: Sequence[Any]) -> Table:
    """The best setting of each source, and what the edges and the area filter gave."""
    title = "Best settings; gain over components = area filter + edges"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("τ", "area", "PQ", "stuff", "things", "mIoU", "gain", "filter", "edges"):
        table.add_column(heading, justify="right", no_wrap=True)
    for section in sections:
        best = section.best
        figures = [_number(best[name]) for name in ("pq", "pq_stuff", "pq_things", "miou")]
        gains = [f"{gain:+.2f}" for gain in section.gains]
        table.add_row(section.name, *_setting(best), *figures, *gains)
    return table


def _setting(row: Mapping[str, Any]) -> tuple[str, str]:
    """The threshold, or whose setting it is, and the area filter."""
    tau, area, splitter = row["gradient_threshold"], row["min_area_px"], row["splitter"]
    name = "–" if splitter == "connected" else splitter.rpartition(".")[2]
    return name if tau is None else f"{tau:g}", "–" if area is None else str(area)


def selection_table(ranked: Sequence[Mapping[str, Any]]) -> Table:
    """How well criteria without ground truth rank settings."""
    title = "Choosing without ground truth: rank correlation with PQ, and the choice"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in ("criterion", "source"):
        table.add_column(heading, no_wrap=True)
    for heading in ("correlation", "τ", "area", "PQ", "best PQ"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in ranked:
        chosen = row["chosen"]
        figures = (_number(chosen["pq"]), _number(row["best"]))
        correlation = f"{row['correlation']:+.2f}"
        table.add_row(row["criterion"], row["source"], correlation, *_setting(chosen), *figures)
    return table


class _Missed(Protocol):
    """Fits `relief.studies.scoring.diagnose.MissedClass`."""

    @property
    def name(self) -> str: ...
    @property
    def absorbed_by(self) -> Sequence[tuple[str, float]]: ...
    @property
    def ground_truth_px(self) -> int: ...


class _Diagnosis(Protocol):
    """Fits `relief.studies.scoring.diagnose.Diagnosis`."""

    @property
    def missed(self) -> Sequence[_Missed]: ...
    @property
    def iou(self) -> Mapping[str, float]: ...
    @property
    def ground_truth_px(self) -> Mapping[str, int]: ...
    @property
    def absorption(self) -> Mapping[str, Mapping[str, float]]: ...


def diagnosis_tables(found: _Diagnosis) -> list[Table]:
    """The missed classes, if any, and where the pixels of each class went."""
    where = diagnosis_table(found.iou, found.ground_truth_px, found.absorption)
    return [absorption_table(found.missed), where] if found.missed else [where]


def absorption_table(missed: Sequence[_Missed]) -> Table:
    """The classes that are missed and what has their pixels, as published."""
    table = Table(title="Missed classes", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("class", no_wrap=True)
    table.add_column("absorbed by")
    table.add_column("pixels", justify="right")
    for one in missed:
        said = " + ".join(f"{other} ({share:.0f} %)" for other, share in one.absorbed_by)
        table.add_row(one.name, said, _count(one.ground_truth_px))
    return table


def diagnosis_table(
    iou: Mapping[str, float],
    ground_truth_px: Mapping[str, int],
    absorption: Mapping[str, Mapping[str, float]],
) -> Table:
    """Where the pixels of each class went."""
    table = Table(title="Where the pixels of each class went, in percent", title_justify="left")
    table.box = SIMPLE_HEAD
    table.add_column("class")
    table.add_column("IoU", justify="right")
    table.add_column("pixels", justify="right")
    table.add_column("predicted as")
    for name, shares in absorption.items():
        said = ", ".join(f"{other} {share:.0f}" for other, share in list(shares.items())[:4])
        table.add_row(name, _number(iou[name]), _count(ground_truth_px[name]), said)
    return table


class _ObjectStep(Protocol):
    @property
    def what(self) -> str: ...
    @property
    def pq_things(self) -> float: ...
    @property
    def rq_things(self) -> float: ...
    @property
    def gain(self) -> float: ...


def objects_table(steps: Sequence[_ObjectStep]) -> Table:
    """Things with one step or another replaced by ground truth in each row."""
    table = Table(title="Things, in percent", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("objects and names", no_wrap=True)
    for heading in ("PQ things", "RQ things", "against labels"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in steps:
        figures = (_number(step.pq_things), _number(step.rq_things), f"{step.gain:+.1f}")
        table.add_row(step.what, *figures)
    return table


def instances_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """AP and AR of boxes and masks, and of single classes."""
    counts = metrics["counts"]
    title = "{found} objects found, {missed} missed; {doubled} instances doubled, {wrong} wrong"
    table = Table(title=title.format(**counts), title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.pad_edge = False
    table.add_column(f"{counts['images']} images, in percent", no_wrap=True)
    for heading in INSTANCE_COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cells in instance_rows(metrics):
        table.add_row(name, *cells)
    return table


def first_few(lines: Sequence[str], most: int = 5) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - most
    return [*lines[:most], *([f"and {more} more like these"] if more > 0 else [])]


def _doubt(figures: Mapping[str, Any]) -> str:
    """The standard deviation of PQ over runs, or its 95 % interval over images."""
    if "spread" in figures:
        return _number(figures["spread"].get("pq"))
    low, high = figures.get("interval", {}).get("pq", (None, None))
    return f"{_number(low)}–{_number(high)}"


def _count(pixels: int) -> str:
    return f"{pixels / 1e6:.1f} M" if pixels >= 100_000 else str(pixels)


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.1f}"
