"""One texture spectrum for each class: orientation, scale and regularity, never colour.

Every field is periodic, has mean 0 and standard deviation 1, and repeats after `TILE_PX` pixels, so
that a region of any size takes a window of it at a random phase. Scales are between 5 and 40 px:
a few pixels say little of the class, a patch of 22 px and its neighbours say much.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from relief.samples.scenes.fields import (
    TILE_PX,
    FloatArray,
    band_noise,
    brick_tones,
    joints,
    slab_tones,
    standardised,
    wave,
)


def _road() -> FloatArray:
    return band_noise(1, (60, 110))


def _sidewalk() -> FloatArray:
    edges = np.maximum(joints(24, 0, 0.07), joints(24, 1, 0.07))
    return standardised(0.5 * slab_tones(24) - 2.4 * edges)


def _building() -> FloatArray:
    edges = np.maximum(joints(52, 0, 0.16), joints(26, 1, 0.08, shift_rows=52))
    return standardised(0.7 * brick_tones(3, 52, 26) - 2.0 * edges)


def _wall() -> FloatArray:
    """Rough stones: cells around random points, each with its own tone, darker at their rims."""
    rng = np.random.default_rng(4)
    free = np.ones((TILE_PX, TILE_PX), np.uint8)
    free[tuple(rng.integers(0, TILE_PX, (2, 620)))] = 0
    tiled = np.tile(free, (3, 3))
    distance, cell = cv2.distanceTransformWithLabels(
        tiled, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = np.nonzero(tiled == 0)
    tone_of_cell = np.zeros(int(cell.max()) + 1)
    tone_of_cell[cell[y, x]] = rng.standard_normal(TILE_PX**2)[y % TILE_PX * TILE_PX + x % TILE_PX]
    middle = slice(TILE_PX, 2 * TILE_PX)
    tone = tone_of_cell[cell[middle, middle]]
    return standardised(0.8 * tone - 0.22 * distance[middle, middle])


def _fence() -> FloatArray:
    return standardised(np.clip(2.2 * wave(0, 56), -1, 1) + 0.35 * band_noise(6, (10, 30)))


def _pole() -> FloatArray:
    return standardised(np.clip(2.0 * wave(62, 0), -1, 1) + 0.2 * band_noise(7, (20, 60)))


def _traffic_light() -> FloatArray:
    return standardised(np.maximum(wave(40, 40) * wave(40, -40), -0.2))


def _traffic_sign() -> FloatArray:
    return standardised(np.clip(2.5 * wave(26, 26), -1, 1))


def _vegetation() -> FloatArray:
    blobs = band_noise(8, (32, 56))
    return standardised(
        np.where(blobs > 0.3, 1.6, 0.0) + 0.6 * blobs + 0.5 * band_noise(9, (8, 18))
    )


def _terrain() -> FloatArray:
    return band_noise(10, (34, 90), 0.0, 0.16)


def _sky() -> FloatArray:
    return standardised(band_noise(11, (3, 14), np.pi / 2, 0.7))


def _person() -> FloatArray:
    return band_noise(12, (44, 76), -np.pi / 4, 0.22)


def _rider() -> FloatArray:
    return standardised(np.clip(2 * wave(36, 0), -1, 1) + np.clip(2 * wave(0, 36), -1, 1))


def _car() -> FloatArray:
    return band_noise(13, (20, 44), np.pi / 2, 0.15)


def _truck() -> FloatArray:
    return standardised(np.abs(wave(0, 14)) + 0.15 * band_noise(14, (10, 30)))


def _bus() -> FloatArray:
    frame = np.maximum(joints(30, 0, 0.22), joints(16, 1, 0.12))
    return standardised(2.4 * frame + 0.3 * band_noise(15, (6, 16), np.pi / 4, 0.3))


def _train() -> FloatArray:
    return standardised(np.clip(2 * wave(34, 0), -1, 1) + 0.1 * band_noise(16, (10, 30)))


def _motorcycle() -> FloatArray:
    return standardised(
        wave(38, 38, 0.5, 3) + wave(38, -38, 0.5, 4) + 0.4 * band_noise(17, (20, 40))
    )


def _bicycle() -> FloatArray:
    rng = np.random.default_rng(18)
    field = np.zeros((TILE_PX, TILE_PX), np.float32)
    for _ in range(330):
        start = rng.uniform(0, TILE_PX, 2)
        angle, length = rng.uniform(0, np.pi), rng.uniform(40, 90)
        reach = length * np.array([np.cos(angle), np.sin(angle)])
        for wrap in np.ndindex(3, 3):
            origin = start + (np.array(wrap) - 1) * TILE_PX
            ends = [tuple(round(16 * v) for v in p) for p in (origin, origin + reach)]
            cv2.line(field, ends[0], ends[1], 1.0, 2, cv2.LINE_AA, 4)
    return standardised(field)


def _plain() -> FloatArray:
    return band_noise(19, (14, 60))


_FAMILIES: dict[str, Callable[[], FloatArray]] = {
    "road": _road,
    "sidewalk": _sidewalk,
    "building": _building,
    "wall": _wall,
    "fence": _fence,
    "pole": _pole,
    "traffic light": _traffic_light,
    "traffic sign": _traffic_sign,
    "vegetation": _vegetation,
    "terrain": _terrain,
    "sky": _sky,
    "person": _person,
    "rider": _rider,
    "car": _car,
    "truck": _truck,
    "bus": _bus,
    "train": _train,
    "motorcycle": _motorcycle,
    "bicycle": _bicycle,
}


@cache
def texture_field(label_name: str) -> FloatArray:
    """The texture of a class, or a plain one for the void labels.

    Args:
        label_name: A name of the Cityscapes table.

    Returns:
        (TILE_PX, TILE_PX) float32, periodic, mean 0, standard deviation 1.
    """
    field = _FAMILIES.get(label_name, _plain)()
    field.setflags(write=False)
    return field


@cache
def _dirt() -> FloatArray:
    return np.tile(_plain(), (3, 3))


def dirt_window(phase: tuple[float, float], size: tuple[int, int]) -> FloatArray:
    """A window of noise that all classes share.

    Args:
        phase: Where it starts, (row, column) in [0, TILE_PX).
        size: (height, width), at most 2 * TILE_PX each.

    Returns:
        (height, width) float32, standard deviation about 1.
    """
    top, left = (int(start) % TILE_PX for start in phase)
    return _dirt()[top : top + size[0], left : left + size[1]]
