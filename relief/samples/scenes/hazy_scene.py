"""The second drawn domain: the same streets on a dull, hazy day, by another camera.

Layouts and classes are those of `relief.samples.scenes.scene`. Textures are coarser, each class has
a cast of colour, far things fade into haze, and the light is darker and bluer, with more grain.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.fields import FloatArray
from relief.samples.scenes.scene import SceneBuilder

TEXTURE_ZOOM = 1.3
_CASTS_SEED, _CAST = 23, 0.07
_HAZE = np.array([0.66, 0.69, 0.74], np.float32)
_LIGHT = np.array([0.84, 0.95, 1.1], np.float32)


def draw_hazy_scene(rng: np.random.Generator, size: tuple[int, int] = (512, 1024)) -> Canvas:
    """Draws one scene of the second domain.

    Args:
        rng: Decides everything in it.
        size: (height, width) in pixels.

    Returns:
        The painted canvas.
    """
    canvas = SceneBuilder(rng, Canvas(size, TEXTURE_ZOOM)).draw()
    image = canvas.image + _casts()[canvas.label_ids]
    sight_m = rng.uniform(25, 70)
    clear = np.exp(-canvas.distance_m / sight_m).astype(np.float32)[..., None]
    image = image * clear + _HAZE * np.float32(rng.uniform(0.85, 1.05)) * (1 - clear)
    dark = np.clip(image, 0, 1) ** np.float32(rng.uniform(1.3, 2.0))
    grain = rng.standard_normal((*size, 3), np.float32) * np.float32(rng.uniform(0.02, 0.045))
    canvas.image = dark * _LIGHT + grain
    return canvas


@cache
def _casts() -> FloatArray:
    """(256, 3): the cast of colour of each label id."""
    drawn = np.random.default_rng(_CASTS_SEED).normal(0, _CAST, (256, 3))
    return drawn.astype(np.float32)
