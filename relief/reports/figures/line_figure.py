"""Curves as a drawing for a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Middle tones that can be read on a light and on a dark page.
_TEXT = "#868b95"
_COLORS = ("#2f8f93", "#d0743f", "#5c8fb8", "#8d6bb1", "#7a8f3c", "#b8527d")
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "relief", "font.family": "sans-serif"}


def line_figure(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
    level: tuple[str, float] | None = None,
) -> str:
    """Draws lines with markers.

    Args:
        lines: (x, y) points by name; `x` may be ordinal.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        level: A name and a height for a dashed line across.

    Returns:
        An `<svg>` element; equal points give equal text.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.4, 3.3), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for i, (name, points) in enumerate(lines.items()):
            xs, ys = zip(*sorted(points), strict=True) if points else ((), ())
            color = _COLORS[i % len(_COLORS)]
            axes.plot(xs, ys, marker="o", markersize=4.5, linewidth=1.8, color=color, label=name)
        if level is not None:
            axes.axhline(level[1], color=_TEXT, linestyle=(0, (5, 4)), linewidth=1, label=level[0])
        _style(axes, x_label, y_label)
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _style(axes: matplotlib.axes.Axes, x_label: str, y_label: str) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_TEXT)
    axes.grid(axis="y", color=_TEXT, alpha=0.18, linewidth=0.8)
    axes.tick_params(colors=_TEXT, labelsize=9)
    axes.set_xlabel(x_label, color=_TEXT, fontsize=10)
    axes.set_ylabel(y_label, color=_TEXT, fontsize=10)
    if axes.lines:
        axes.legend(frameon=False, labelcolor=_TEXT, fontsize=9)
