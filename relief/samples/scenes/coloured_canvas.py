"""A canvas on which colour says something of the class, as it does in photographs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from relief.samples.scenes.canvas import BoolArray, Box, Canvas, Surface
from relief.samples.scenes.fields import FloatArray

_SEED, _DEVIATION = 41, 0.17
_OWN_SHARE = 0.5  # of what the colour of an object differs from gray
_GRAY = 0.5


class ColouredCanvas(Canvas):
    """Gives every class a colour of its own, around which its objects vary."""

    def paint(
        self, box: Box, mask: BoolArray, surface: Surface, distance_m: FloatArray | float, **of: Any
    ) -> None:
        """Paints a region; see `Canvas.paint`."""
        own = _OWN_SHARE * (surface.colour - _GRAY)
        colour = np.clip(class_colour(surface.label) + own, 0.05, 0.95).astype(np.float32)
        super().paint(box, mask, replace(surface, colour=colour), distance_m, **of)


@cache
def class_colour(label: str) -> FloatArray:
    """(3,): red, green and blue of a class, in [0.1, 0.9]."""
    rng = np.random.default_rng([_SEED, *label.encode()])
    return np.clip(_GRAY + rng.normal(0, _DEVIATION, 3), 0.1, 0.9).astype(np.float32)
