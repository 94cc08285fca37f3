"""Tables of what confidence is worth: means over the runs of each name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relief.studies.study import Spread, StudyTable

COVERAGES = (1.0, 0.9, 0.7, 0.5)
LEAST = 0.1  # the share of the images that a person looks at first
_AREAS = ("area", "random", "oracle", "gain")

Run = Mapping[str, Any]


def confidence_tables(runs: Sequence[Run]) -> list[StudyTable]:
    """Makes the tables of a study of confidence.

    Args:
        runs: Figures of one store each, in percent; what is not there is unknown.
    """
    at = [f"{100 * share:.0f} %" for share in COVERAGES]

    def covered(name: str) -> list[str]:
        return [f"{name}/{share}" for share in COVERAGES]

    def areas(name: str) -> list[str]:
        return [f"{name}/{one}" for one in _AREAS]

    lift: Callable[[Run], float] = _lift
    images = runs[0]["images"] if runs else 0
    return [
        _table(
            f"Precision of the surest objects, {images} images, in percent",
            runs,
            dict(zip(at, covered("object_precision"), strict=True))
            | {"70 over 100": lift}
            | dict(zip(_AREAS, areas("objects"), strict=True))
            | {"calibration": "objects/calibration"},
        ),
        _table(
            "PQ with the surest objects",
            runs,
            dict(zip(at, covered("object_pq"), strict=True)),
        ),
        _table(
            "mIoU of the surest pixels",
            runs,
            dict(zip(at, covered("pixel_miou"), strict=True))
            | dict(zip(_AREAS, areas("pixels"), strict=True)),
        ),
        _table(
            "PQ of the surest images",
            runs,
            dict(zip(at, covered("image_pq"), strict=True)),
        ),
        _table(
            "mIoU of the surest images",
            runs,
            dict(zip(at, covered("image_miou"), strict=True)),
        ),
        _table(
            "Errors in the least sure tenth of the images, times its share",
            runs,
            {
                "pixels": "tenth/pixels",
                "best order of pixels": "tenth/pixels/oracle",
                "objects": "tenth/objects",
                "best order of objects": "tenth/objects/oracle",
            },
        ),
    ]


def _table(
    title: str, runs: Sequence[Run], columns: Mapping[str, str | Callable[[Run], float]]
) -> StudyTable:
    rows: list[list[Any]] = []
    for name in dict.fromkeys(run["name"] for run in runs):
        own = [run for run in runs if run["name"] == name]
        rows.append(
            [name, *(Spread.of(_value(run, one) for run in own) for one in columns.values())]
        )
    return StudyTable(title, ("sure by", *columns), rows)


def _value(run: Run, column: str | Callable[[Run], float]) -> float:
    return column(run) if callable(column) else float(run.get(column, math.nan))


def _lift(run: Run) -> float:
    """Precision of the surest 70 % over that of all, a factor."""
    every = float(run.get("object_precision/1.0", math.nan))
    return float(run.get("object_precision/0.7", math.nan)) / every if every else math.nan
