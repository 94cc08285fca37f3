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
}
Metrics = Mapping[str, Mapping[str, Any]]


def percent(value: float | None) -> str:
    """A figure in percent with one decimal; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.1f}"


def quality_table(metrics: Metrics | None) -> dict[str, Any] | None:
    """Columns and rows of figures by `protocol/assignment`; `None` without metrics."""
    if not metrics:
        return None
    columns = [name for name in COLUMNS if any(name in row for row in metrics.values())]
    rows = [
        {"name": name, "cells": [percent(row.get(column)) for column in columns]}
        for name, row in metrics.items()
    ]
    return {"columns": [COLUMNS[column] for column in columns], "rows": rows}


def class_rows(metrics: Metrics | None, space: LabelSpace | None) -> list[dict[str, Any]]:
    """The classes of the headline figures; classes that never occur have dashes."""
    if not metrics:
        return []
    per_class = next(iter(metrics.values())).get("per_class") or {}
    labels = {label.name: label for label in space.labels} if space else {}
    rows = []
    for name, figures in per_class.items():
        label, pq = labels.get(name), figures.get("pq")
        rows.append(
            {
                "name": name,
                "color": label.color if label else None,
                "is_thing": bool(label and label.is_thing),
                "width": 0 if pq is None or math.isnan(pq) else round(pq, 1),
                **{column: percent(figures.get(column)) for column in ("pq", "sq", "rq")},
            }
        )
    return rows
