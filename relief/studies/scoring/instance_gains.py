"""Gains of instances over others of the same images, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relief.metrics.bootstrap import paired_precision_intervals
from relief.metrics.coco_evaluation import InstanceTable
from relief.metrics.scoring import PERCENT
from relief.studies.study import StudyTable

_COLUMNS = ("", "AP", "95 % (same images)", "AP50", "95 %", "")


def gains_table(
    tables: Sequence[tuple[str, Sequence[InstanceTable]]], against: Sequence[int], first: int = 1
) -> StudyTable:
    """Compares AP and AP50 of instances, over the same images, in percentage points.

    Args:
        tables: Name, and the instances of each image; the same images in the same order.
        against: For each of them from `first` on, the number of the one it is compared with.
        first: The number of the first one that is compared.
    """
    rows = [
        [f"{tables[number][0]} - {tables[other][0]}", *_gain(tables[other][1], tables[number][1])]
        for number, other in enumerate(against, first)
    ]
    return StudyTable("One against another", _COLUMNS, rows)


def _gain(first: Sequence[InstanceTable], second: Sequence[InstanceTable]) -> list[Any]:
    gains = paired_precision_intervals(first, second)
    may_be_chance = all(low <= 0 <= high for _, low, high in gains.values())
    cells = []
    for gain, low, high in gains.values():
        cells += [f"{PERCENT * gain:+.2f}", f"{PERCENT * low:+.2f} to {PERCENT * high:+.2f}"]
    return [*cells, "may be chance" if may_be_chance else ""]
