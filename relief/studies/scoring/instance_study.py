"""AP without classes of several labels of the same images, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from relief.metrics.instance_ap import BOXES, MASKS
from relief.studies.scoring.instance_gains import gains_table
from relief.studies.scoring.instance_request import InstanceRequest, measure_instances
from relief.studies.scoring.instance_scores import InstanceScores
from relief.studies.study import StoreRow, StoreStudy, StudyResult, StudyTable

_MASKS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_medium": "medium",
    "ap_large": "large",
    "ar100": "AR100",
}
_COUNTS = ("found", "missed", "doubled", "wrong")
_NOTE = (
    "Masks of things, all classes as one; boxes are in table.csv. What instances are ranked by "
    "decides much of AP and little of AR100."
)


@dataclass(frozen=True)
class InstanceRow(StoreRow):
    """Labels of one kind.

    Args:
        labels: Their store.
        label_args: Arguments of label.py that make it; none where it is there.
        name: What they are called.
        scores: What instances are ranked by, as `InstanceRequest`.
    """

    name: str = ""
    scores: Literal["score", "area"] | None = None


class InstanceStudy(StoreStudy):
    """A row for each way to label.

    Args:
        rows: What is measured.
        root: Cityscapes folder with gtFine.
        split: Split that is measured.

    Raises:
        UsageError: There is no row.
    """

    rows: list[InstanceRow]

    def __init__(self, rows: list[InstanceRow], root: str, split: str = "val") -> None:
        super().__init__(rows, root, split)

    def row_of(self, labels: str) -> InstanceRow:
        """Returns the row of a store that a request names."""
        return InstanceRow(labels, name=Path(labels).name)

    def run(self) -> StudyResult:
        """Measures the labels of every row; raises as `measure_instances`."""
        start = time.perf_counter()
        measured = [(row.name, self._measured(row)) for row in self.rows]
        images = measured[0][1].metrics["counts"]["images"]
        table = StudyTable(
            f"Instances without classes, {images} images, in percent",
            ("labels", "ranked by", *_MASKS.values(), *_COUNTS),
            [_cells(name, scores) for name, scores in measured],
        )
        return StudyResult(
            [table, *_gains(measured)],
            [_run(name, scores) for name, scores in measured],
            [_NOTE],
            seconds=time.perf_counter() - start,
            failures=[f"{name}: {one['reason']}" for name, s in measured for one in s.failures],
        )

    def _measured(self, row: InstanceRow) -> InstanceScores:
        return measure_instances(
            InstanceRequest(
                labels=row.labels, root=self.root, split=self.split, scores=row.scores, pictures=0
            )
        )


def _gains(measured: Sequence[tuple[str, InstanceScores]]) -> list[StudyTable]:
    """Each row against the first, where they are of the same images."""
    keys = measured[0][1].keys
    alike = [(name, scores.tables) for name, scores in measured if scores.keys == keys]
    return [gains_table(alike, [0] * (len(alike) - 1))] if len(alike) > 1 else []


def _cells(name: str, scores: InstanceScores) -> list[Any]:
    counts, masks = scores.metrics["counts"], scores.metrics[MASKS]
    return [name, counts["ranked_by"], *(masks[n] for n in _MASKS), *(counts[n] for n in _COUNTS)]


def _run(name: str, scores: InstanceScores) -> dict[str, Any]:
    """Returns every figure, for `table.csv`."""
    run: dict[str, Any] = {"labels": name, **scores.metrics["counts"]}
    for kind in (BOXES, MASKS):
        run |= {f"{kind}/{figure}": value for figure, value in scores.metrics[kind].items()}
    return run
