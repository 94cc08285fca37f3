"""How little the numbers of `StabilitySplitter` and the values of depth matter to its objects."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relief.formats.depth_changes import Curve, change_depth_files
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.parts import Splitter
from relief.splitters.stability import StabilitySplitter
from relief.studies.study import StoreRow, Study, StudyResult, StudyTable
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.sweep import run_sweep
from relief.studies.sweeps.sweep_plan import SweepDepth, SweepRequest, SweepRow, SweepSource

FACTORS = (0.5, 2.0)
_MOST = {"area_share": 1.0, "height": 1.0, "likeness": 1.0}  # shares: doubled no further than this
_FIGURE = "pq_things"


@dataclass(frozen=True)
class ChangedDepth:
    """Depth of the same scenes with other values.

    Args:
        name: In tables.
        curve: See `relief.formats.depth_changes.bent`.
        sigma_px: Blur, in pixels.
        noise: Standard deviation of what is added.
    """

    name: str
    curve: Curve = "same"
    sigma_px: float = 0.0
    noise: float = 0.0


class StabilityStudy(Study):
    """Objects without a threshold beside those of single thresholds, on depth of many kinds.

    Args:
        row: The labels whose things are cut; in one region.
        root: Cityscapes folder with gtFine.
        depth: Folder of the depth files of the split.
        depths: What becomes of depth; the first is what others are compared with.
        levels: Thresholds of sharpened depth gradients.
        min_area_px: Their area filter.
        folder: Where depth and tables are kept.
        numbers: Arguments of `StabilitySplitter` that are halved and doubled.
        numbers_on: The kinds of depth on which they are.
        split: Split that is measured.
        processes: Over images.
    """

    def __init__(
        self,
        row: StoreRow,
        root: str,
        depth: str,
        depths: list[ChangedDepth],
        levels: list[float],
        folder: str,
        min_area_px: int = 800,
        numbers: Sequence[str] = (),
        numbers_on: Sequence[str] = (),
        split: str = "val",
        processes: int | None = None,
    ) -> None:
        self.row, self.root, self.depth, self.depths = row, root, Path(depth), depths
        self.levels, self.min_area_px, self.folder = levels, min_area_px, Path(folder)
        self.numbers, self.numbers_on = list(numbers), list(numbers_on)
        self.split, self.processes = split, processes

    def label_commands(self) -> list[list[str]]:
        """Arguments of label.py for the labels."""
        return [list(self.row.label_args)] if self.row.label_args else []

    def prepare(self, say: Callable[[str], None]) -> None:
        """Makes the labels, then the depth files that are not there."""
        super().prepare(say)
        for one in self.depths:
            out = self._root_of(one) / self.split
            if not out.exists():
                say(f"depth: {one.name}")
                before = self.depth / self.split
                change_depth_files(before, out, one.sigma_px, one.noise, one.curve)

    def run(self) -> StudyResult:
        """Sweeps levels over all kinds of depth, and numbers over some."""
        sharpening = ToggleSharpening()
        rows = [SweepRow([self.min_area_px], one, sharpening=sharpening) for one in self.levels]
        changed = [(name, factor) for name in self.numbers for factor in FACTORS]
        moved = [with_number(*one) for one in changed]
        on = [one for one in self.depths if one.name in self.numbers_on]
        results = [
            run_sweep(self._request("levels", self.depths, rows, [StabilitySplitter()])),
            *([run_sweep(self._request("numbers", on, [], moved))] if on and moved else []),
        ]
        every = [row for result in results for row in result.rows]
        found = {(one["depth"], _marked(one)): float(one[_FIGURE]) for one in every}
        marks = [_mark(splitter) for splitter in (StabilitySplitter(), *moved)]
        tables = [
            self._of_depths(found, marks[0], results[0].images),
            self._of_numbers(found, changed, marks, [one.name for one in on]),
        ]
        failures = list(dict.fromkeys(line for result in results for line in result.failures))
        seconds = sum(result.seconds for result in results)
        return StudyResult(tables, every, seconds=seconds, failures=failures)

    def _request(
        self,
        name: str,
        depths: Sequence[ChangedDepth],
        rows: Sequence[SweepRow],
        splitters: Sequence[Splitter],
    ) -> SweepRequest:
        source = SweepSource(
            *("labels", self.row.labels, list(rows)), split_by="one", splitters=list(splitters)
        )
        return SweepRequest(
            [source],
            [SweepDepth(one.name, str(self._root_of(one))) for one in depths],
            root=self.root,
            split=self.split,
            separate_area_filter=False,
            processes=self.processes,
            out=str(self.folder / name),
        )

    def _root_of(self, depth: ChangedDepth) -> Path:
        return self.folder / "depth" / "".join(c if c.isalnum() else "_" for c in depth.name)

    def _of_depths(self, found: Mapping[Any, float], mark: str, images: int) -> StudyTable:
        """Each kind of depth: no threshold, its best one, and the best one of the first kind."""
        best = {
            one.name: max((found[one.name, level], level) for level in self.levels)[1]
            for one in self.depths
        }
        first = self.depths[0].name
        rows = []
        for one in self.depths:
            own = (found[one.name, mark], found[one.name, best[one.name]])
            kept = found[one.name, best[first]]
            falls = (own[0] - found[first, mark], kept - found[first, best[first]])
            rows.append([one.name, *own, str(best[one.name]), own[0] - own[1], kept, *falls])
        columns = (
            *("depth", "no threshold", "best level", "which", "less", "level of the first"),
            *("no threshold falls", "that level falls"),
        )
        return StudyTable(f"PQ of things by depth, {images} images, in percent", columns, rows)

    def _of_numbers(
        self,
        found: Mapping[Any, float],
        changed: Sequence[tuple[str, float]],
        marks: Sequence[str],
        names: Sequence[str],
    ) -> StudyTable:
        """Each number halved and doubled: how PQ of things moves on some kinds of depth."""
        rows = [
            [f"{number} x {factor:g}", *(found[n, mark] - found[n, marks[0]] for n in names)]
            for (number, factor), mark in zip(changed, marks[1:], strict=True)
        ]
        title = "Change of PQ of things by numbers, in percent"
        return StudyTable(title, ("number", *names), rows)


def with_number(name: str, factor: float) -> StabilitySplitter:
    """Makes a `StabilitySplitter` with one of its numbers times a factor, a share at most 1."""
    default = inspect.signature(StabilitySplitter).parameters[name].default
    value = min(default * factor, _MOST.get(name, math.inf))
    made: dict[str, Any] = {name: math.ceil(value) if isinstance(default, int) else value}
    return StabilitySplitter(**made)


def _mark(splitter: StabilitySplitter) -> str:
    return json.dumps(Setting(splitter).arguments)


def _marked(row: Mapping[str, Any]) -> str | float:
    """Returns the level of a row of a sweep, or all that a splitter without one holds."""
    level = row["gradient_threshold"]
    return str(row["arguments"]) if level is None else float(level)
