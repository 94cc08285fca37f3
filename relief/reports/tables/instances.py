"""The figures of measured instances as rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relief.reports.tables.quality import percent

INSTANCE_COLUMNS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "small",
    "ap_medium": "medium",
    "ap_large": "large",
    "ar1": "AR1",
    "ar10": "AR10",
    "ar100": "AR100",
}


def instance_rows(metrics: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Returns a row of figures, as text, for each kind and each single class."""
    rows = []
    for kind, figures in metrics.items():
        if kind == "counts":
            continue
        rows.append((kind.replace("_", " "), [percent(figures[name]) for name in INSTANCE_COLUMNS]))
        for name, single in figures.get("per_class", {}).items():
            cells = [percent(single[one]) if one in single else "" for one in INSTANCE_COLUMNS]
            rows.append((f"{kind.partition('_')[0]}, {name}", cells))
    return rows
