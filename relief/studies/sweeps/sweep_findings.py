"""Findings of a sweep: the best settings, and depth edges separated from the area filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relief.studies.sweeps.settings import GRID

Row = Mapping[str, Any]
CONNECTED = "connected"


@dataclass(frozen=True)
class SourceFindings:
    """One source under one protocol and assignment.

    Attributes:
        name: Of the source.
        k: Its clusters.
        baseline: Connected components as the grid has them, its smallest area filter; the best
            setting where no components were tried.
        best: The best setting by PQ.
        filtered: Connected components at the best setting's own area filter.
        connected: Connected components at each area filter, smallest first.
        rows: All rows of the grid, best first.
    """

    name: str
    k: int
    baseline: Row
    best: Row
    filtered: Row
    connected: list[Row]
    rows: list[Row]

    @property
    def gains(self) -> tuple[float, float, float]:
        """PQ of the best setting above the baseline: all, by the area filter alone, by edges.

        The first is what is usually reported; the other two add up to it.
        """
        best, filtered, baseline = (
            float(r["pq"]) for r in (self.best, self.filtered, self.baseline)
        )
        return best - baseline, filtered - baseline, best - filtered


def findings(rows: Sequence[Row], protocol: str, assignment: str) -> list[SourceFindings]:
    """By source, in the order of the rows.

    Args:
        rows: Of `sweep.csv`.
        protocol: Rows of this one.
        assignment: And of this one; `oracle_majority` where regions are classes already.
    """
    chosen = [r for r in rows if r["protocol"] == protocol and r["assignment"] == assignment]
    found = []
    for name in dict.fromkeys(row["source"] for row in chosen):
        own = [row for row in chosen if row["source"] == name]
        connected = sorted(
            (r for r in own if r["splitter"] == CONNECTED), key=lambda r: int(r["min_area_px"])
        )
        grid = sorted((r for r in own if r["purpose"] == GRID), key=lambda r: -float(r["pq"]))
        others = [row for row in grid if row["splitter"] != CONNECTED]
        if not grid:
            continue
        in_grid = [row for row in connected if row["purpose"] == GRID]
        best = (others or grid)[0]
        same = [row for row in connected if row["min_area_px"] == best["min_area_px"]]
        baseline = (in_grid or connected or [best])[0]
        found.append(
            SourceFindings(
                name, int(best["k"]), baseline, best, (same or [baseline])[0], connected, grid
            )
        )
    return found
