"""How many instances images have, ours beside the ground truth's, as a drawing for a page."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Middle tones that can be read on a light and on a dark page.
_TEXT = "#868b95"
_OURS = "#d0743f"
_TRUTH = "#5c8fb8"
_METADATA = ("Creator", "Date", "Format", "Type")  # none of them, so that nothing varies
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "relief", "font.family": "sans-serif"}


def instance_histogram(ours: Sequence[int], truth: Sequence[int] = ()) -> str:
    """Draws the histogram.

    Args:
        ours: Instances of each image.
        truth: Of the ground truth, where there is some.

    Returns:
        An `<svg>` element; equal counts give equal text.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        _draw(axes, ours, truth)
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(_METADATA))
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _draw(axes: Axes, ours: Sequence[int], truth: Sequence[int]) -> None:
    largest = max([*ours, *truth, 1])
    step = max(1, int(np.ceil((largest + 1) / 30)))
    edges = np.arange(0, largest + step + 1, step) - 0.5
    rows = [(ours, _OURS, "labels")] + ([(truth, _TRUTH, "ground truth")] if truth else [])
    width = step * 0.84 / len(rows)
    for i, (counts, color, name) in enumerate(rows):
        heights, _ = np.histogram(counts, edges)
        offset = (i - (len(rows) - 1) / 2) * width
        mean = np.mean(counts) if len(counts) else 0.0
        label = f"{name}, {mean:.1f} an image"
        axes.bar(edges[:-1] + step / 2 + offset, heights, width, color=color, label=label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_TEXT)
    axes.tick_params(colors=_TEXT, labelsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    axes.set_xlabel("instances in an image", color=_TEXT, fontsize=10)
    axes.set_ylabel("images", color=_TEXT, fontsize=10)
    axes.legend(frameon=False, labelcolor=_TEXT, fontsize=10)
