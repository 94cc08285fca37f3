"""The second drawn domain: the same streets on a dull, hazy day, by another camera.

Layouts and classes are those of `relief.samples.scenes.scene`. Textures are coarser, each class has
a cast of colour, far things fade into haze, and the light is darker and bluer, with more grain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.fields import FloatArray
from relief.samples.scenes.scene import SceneBuilder

_CASTS_SEED = 23
_HAZE = np.array([0.66, 0.69, 0.74], np.float32)


@dataclass(frozen=True)
class Haze:
    """The weather and the camera of a domain.

    Attributes:
        texture_zoom: Scale of all textures.
        cast: Standard deviation of what a class gains of each colour.
        sight_m: Least and greatest distance at which a scene keeps 37 % of its contrast.
        sky_m: The sky, and all beyond, fades as if it were so far away.
        gamma: Least and greatest exponent that darkens.
        light: Factors of red, green and blue.
    """

    texture_zoom: float = 1.3
    cast: float = 0.07
    sight_m: tuple[float, float] = (25, 70)
    sky_m: float = 1e3
    gamma: tuple[float, float] = (1.3, 2.0)
    light: tuple[float, float, float] = (0.84, 0.95, 1.1)


def draw_hazy_scene(
    rng: np.random.Generator,
    size: tuple[int, int] = (512, 1024),
    haze: Haze = Haze(),
    kind: type[Canvas] = Canvas,
) -> Canvas:
    """Draws one scene of the second domain.

    Args:
        rng: Decides everything in it.
        size: (height, width) in pixels.
        haze: How it looks.
        kind: The canvas that it is painted on.

    Returns:
        The painted canvas.
    """
    canvas = SceneBuilder(rng, kind(size, haze.texture_zoom)).draw()
    image = canvas.image + np.float32(haze.cast) * _casts()[canvas.label_ids]
    sight_m = rng.uniform(*haze.sight_m)
    seen_m = np.minimum(canvas.distance_m, haze.sky_m)
    clear = np.exp(-seen_m / sight_m).astype(np.float32)[..., None]
    image = image * clear + _HAZE * np.float32(rng.uniform(0.85, 1.05)) * (1 - clear)
    dark = np.clip(image, 0, 1) ** np.float32(rng.uniform(*haze.gamma))
    grain = rng.standard_normal((*size, 3), np.float32) * np.float32(rng.uniform(0.02, 0.045))
    canvas.image = dark * np.array(haze.light, np.float32) + grain
    return canvas


@cache
def _casts() -> FloatArray:
    """(256, 3): the cast of colour of each label id, of deviation 1."""
    return np.random.default_rng(_CASTS_SEED).standard_normal((256, 3)).astype(np.float32)
