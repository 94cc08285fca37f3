"""PQ of each class as a drawing: things and stuff apart, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relief.formats.files.atomic import whole_file
from relief.schema.label_spaces import LabelSpace

_TEXT, _SOFT = "#2a2d33", "#868b95"


def write_class_figure(
    path: Path, name: str, figures: Mapping[str, Any], space: LabelSpace
) -> None:
    """Writes a PNG with a bar of PQ, and a mark at IoU, for each class that occurs.

    Args:
        path: The file.
        name: Protocol and assignment, for the title.
        figures: One entry of `metrics.json`, in percent.
        space: Its classes.
    """
    labels = {label.name: label for label in space.labels}
    rows = [
        (labels[class_name], values)
        for class_name, values in figures["per_class"].items()
        if values["pq"] is not None and math.isfinite(values["pq"])
    ]
    rows.sort(key=lambda row: (row[0].is_thing, row[1]["pq"]))
    figure = Figure(figsize=(8, 0.9 + 0.28 * len(rows)), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (label, values) in enumerate(rows):
        fill = [channel / 255 for channel in label.color]
        axes.barh(i, values["pq"], color=fill, edgecolor=_SOFT, linewidth=0.4, height=0.72)
        if values["iou"] is not None and math.isfinite(values["iou"]):
            mark = [values["iou"]] * 2, [i - 0.36, i + 0.36]
            for color, width in (("white", 3.2), (_TEXT, 1.6)):  # seen on dark bars too
                axes.plot(*mark, color=color, linewidth=width, clip_on=False)
        _number(axes, i, f"{values['pq']:.1f}")
    _number(axes, len(rows) - 0.35, "PQ")
    _label(axes, [label.name for label, _ in rows])
    axes.set_title(f"{name}: PQ {figures['pq']:.1f}, mIoU {figures['miou']:.1f}", fontsize=10)
    with whole_file(path) as file:
        figure.savefig(file, format="png")


def _number(axes: matplotlib.axes.Axes, row: float, text: str) -> None:
    """PQ in a column of its own: behind a short bar it would lie under the mark at IoU."""
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    axes.text(1.05, row, text, fontsize=7, color=_TEXT, **place)


def _label(axes: matplotlib.axes.Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_xlabel("PQ in percent; the dark line is IoU", fontsize=8, color=_TEXT)
    axes.tick_params(axis="x", labelsize=8, colors=_SOFT)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
