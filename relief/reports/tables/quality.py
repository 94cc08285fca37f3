"""The figures of `metrics.json` as tables for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from relief.schema.label_spaces import LabelSpace

# What a table shows, in this order, where it is there.
COLUMNS = {
    "pq": "PQ",
    "sq": "SQ",
    "rq": "RQ",
    "pq_things": "PQ things",
    "pq_stuff": "PQ stuff",
    "miou": "mIoU",
    "pixel_accuracy": "accuracy",
    "ap50": "AP@50",
}
CLASS_COLUMNS = {"pq": "PQ", "sq": "SQ", "rq": "RQ", "iou": "IoU"}
_HEADLINE_FIRST = ("panopticapi/majority", "panopticapi/identity", "panopticapi")
Metrics = Mapping[str, Mapping[str, Any]]


def percent(value: float | None) -> str:
    """A figure in percent with one decimal; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.1f}"


def headline_first(metrics: Metrics) -> dict[str, Mapping[str, Any]]:
    """The same figures, those of the default protocol in front; a JSON file sorts by name."""

    def place(name: str) -> int:
        found = [i for i, start in enumerate(_HEADLINE_FIRST) if name.startswith(start)]
        return found[0] if found else len(_HEADLINE_FIRST)

    return {name: metrics[name] for name in sorted(metrics, key=place)}


def quality_table(metrics: Metrics | None) -> dict[str, Any] | None:
    """Columns and rows of figures by `protocol/assignment`; `None` without metrics."""
    if not metrics:
        return None
    columns = [name for name in COLUMNS if any(name in row for row in metrics.values())]
    rows = [
        {"name": name, "cells": [percent(row.get(column)) for column in columns]}
        for name, row in headline_first(metrics).items()
    ]
    return {"columns": [COLUMNS[column] for column in columns], "rows": rows}


def class_table(metrics: Metrics | None, space: LabelSpace | None) -> dict[str, Any] | None:
    """The classes of the headline figures in the order of the label space; `None` without."""
    if not metrics:
        return None
    per_class = next(iter(headline_first(metrics).values())).get("per_class")
    if not per_class:
        return None
    labels = {label.name: label for label in space.labels} if space else {}
    names = sorted(per_class, key=lambda name: (name not in labels, [*labels, name].index(name)))
    columns = [one for one in CLASS_COLUMNS if any(one in row for row in per_class.values())]
    rows = []
    for name in names:
        label, figures = labels.get(name), per_class[name]
        pq = figures.get("pq")
        rows.append(
            {
                "name": name,
                "color": label.color if label else None,
                "is_thing": bool(label and label.is_thing),
                "width": 0 if pq is None or math.isnan(pq) else round(pq, 1),
                "cells": [percent(figures.get(column)) for column in columns],
            }
        )
    return {"columns": [CLASS_COLUMNS[column] for column in columns], "rows": rows}
