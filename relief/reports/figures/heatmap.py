"""A grid of figures as coloured cells of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Heatmap:
    """A table whose cells are shaded by their value.

    Attributes:
        title: What the figures are.
        columns: Headings.
        rows: Heading and cells of each row; a cell has `text`, `shade` (0..1) and `is_best`.
    """

    title: str
    columns: list[str]
    rows: list[dict[str, Any]]


def heatmap(
    title: str,
    values: Mapping[tuple[str, str], float],
    row_names: Sequence[str],
    column_names: Sequence[str],
    digits: int = 2,
) -> Heatmap:
    """Shades figures between the smallest and the largest.

    Args:
        title: What they are.
        values: By (row, column); what was not tried is missing.
        row_names: In order.
        column_names: In order.
        digits: Decimals shown.
    """
    known = [value for value in values.values() if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)

    def cell(name: tuple[str, str]) -> dict[str, Any] | None:
        value = values.get(name, math.nan)
        if not math.isfinite(value):
            return None
        shade = (value - low) / (high - low) if high > low else 1.0
        text = f"{value:.{digits}f}"
        return {"text": text, "shade": round(shade, 3), "is_best": value == high}

    rows = [
        {"name": row, "cells": [cell((row, column)) for column in column_names]}
        for row in row_names
    ]
    return Heatmap(title, list(column_names), rows)
