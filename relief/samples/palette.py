"""Colours: one muted palette for everything, so that colour says nothing of the class."""

from __future__ import annotations

import numpy as np

from relief.samples.canvas import FloatArray, Surface
from relief.samples.textures import TILE_PX

# Asphalt, concrete, plaster, brick, slate, dusty blue, olive, sage, teal, ochre, mauve, rust, sand.
_PALETTE = (
    np.array(
        [
            (104, 106, 110),
            (134, 132, 128),
            (168, 160, 146),
            (140, 98, 84),
            (96, 112, 128),
            (112, 136, 156),
            (112, 118, 84),
            (128, 146, 116),
            (88, 124, 122),
            (164, 136, 92),
            (132, 108, 130),
            (150, 110, 82),
            (176, 156, 124),
            (120, 128, 138),
            (102, 92, 90),
        ],
        np.float32,
    )
    / 255
)
_SATURATION = 0.72


def random_colour(rng: np.random.Generator) -> FloatArray:
    """A colour of the palette, varied; (3,) in [0.25, 0.75]."""
    colour = _PALETTE[rng.integers(len(_PALETTE))] * rng.uniform(0.85, 1.15)
    colour = colour.mean() + _SATURATION * (colour - colour.mean())
    colour = colour + rng.normal(0, 0.015, 3)
    return np.clip(colour, 0.25, 0.75).astype(np.float32)


def surface(rng: np.random.Generator, label: str) -> Surface:
    """The look of one object or region: random colour, phase and light."""
    row, column = rng.uniform(0, TILE_PX, 2)
    return Surface(
        label,
        random_colour(rng),
        (float(row), float(column)),
        zoom=float(rng.uniform(0.88, 1.14)),
        shade=float(rng.uniform(-0.04, 0.12)),
        gain=float(rng.uniform(0.88, 1.12)),
    )
