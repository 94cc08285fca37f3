"""Colours: one muted palette for everything, so that colour says nothing of the class."""

from __future__ import annotations

import numpy as np

from relief.samples.scenes.canvas import Surface
from relief.samples.scenes.fields import TILE_PX, FloatArray

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


def surface(
    rng: np.random.Generator, label: str, z_m: float = 15.0, turn_rad: float = 0.35
) -> Surface:
    """The look of one object or region: random colour, light, and its own variant of the texture.

    Args:
        rng: Decides everything.
        label: A name of the Cityscapes table.
        z_m: Distance: what is near is coarser and clearer than what is far.
        turn_rad: How far the texture may be turned either way.
    """
    row, column, wobble_phase = rng.uniform(0, TILE_PX, 3)
    near = float(np.clip((14.0 / z_m) ** 0.2, 0.8, 1.2))
    clear = 1.0 - 0.3 * min(z_m, 40.0) / 40.0
    return Surface(
        label,
        random_colour(rng),
        (float(row), float(column)),
        zoom=near * float(np.exp(rng.uniform(np.log(0.72), np.log(1.38)))),
        angle_rad=float(rng.uniform(-turn_rad, turn_rad)),
        wobble_px=float(rng.uniform(0.0, 3.0)),
        wobble_phase=float(wobble_phase),
        dirt=float(rng.uniform(0.15, 0.45)),
        gain=clear * float(rng.uniform(0.6, 1.1)),
        shade=(float(rng.uniform(-0.08, 0.16)), float(rng.uniform(-0.1, 0.1))),
    )
