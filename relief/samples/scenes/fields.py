"""Periodic fields that textures are made of, all (TILE_PX, TILE_PX)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
TILE_PX = 512


def band_noise(
    seed: int, cycles: tuple[float, float], angle_rad: float | None = None, spread_rad: float = 0.3
) -> FloatArray:
    """Gaussian noise within a band of cycles per tile, around one orientation if one is given."""
    white = np.random.default_rng(seed).standard_normal((TILE_PX, TILE_PX))
    frequency = np.fft.fftfreq(TILE_PX) * TILE_PX
    fy, fx = np.meshgrid(frequency, frequency[: TILE_PX // 2 + 1], indexing="ij")
    radius = np.hypot(fx, fy)
    centre = np.sqrt(cycles[0] * cycles[1])
    width = np.log(cycles[1] / cycles[0]) / 2
    gain = np.exp(-0.5 * (np.log(np.maximum(radius, 1e-3) / centre) / width) ** 2)
    if angle_rad is not None:
        turn = np.angle(np.exp(2j * (np.arctan2(fy, fx) - angle_rad))) / 2
        gain = gain * np.exp(-0.5 * (turn / spread_rad) ** 2)
    spectrum = np.fft.rfft2(white) * gain
    return standardised(np.fft.irfft2(spectrum, (TILE_PX, TILE_PX)))


def standardised(field: NDArray[np.floating]) -> FloatArray:
    """Mean 0 and standard deviation 1, without far outliers."""
    field = field - field.mean()
    field = np.clip(field / field.std(), -2.5, 2.5)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _grid() -> tuple[FloatArray, FloatArray]:
    y, x = np.mgrid[:TILE_PX, :TILE_PX].astype(np.float32)
    return y, x


def wave(cycles_y: int, cycles_x: int, jitter: float = 0.0, seed: int = 0) -> FloatArray:
    """A sine with whole cycles per tile; `jitter` bends its phase (radians, rms)."""
    y, x = _grid()
    phase = 2 * np.pi * (cycles_y * y + cycles_x * x) / TILE_PX
    if jitter:
        phase = phase + jitter * band_noise(seed, (4, 12))
    return np.sin(phase).astype(np.float32)


def brick_tones(seed: int, rows: int, columns: int) -> FloatArray:
    """One random tone for each cell of a grid of bricks (odd rows shifted by half a cell)."""
    y, x = _grid()
    tones = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    row = (y * rows / TILE_PX).astype(int)
    column = ((x * columns / TILE_PX) + 0.5 * (row % 2)).astype(int) % columns
    return tones[row, column]


def joints(cycles: int, axis: int, width: float, shift_rows: int = 0) -> FloatArray:
    """1 on the joints of a grid along one axis, soft edges; `shift_rows` staggers them by rows."""
    y, x = _grid()
    position = (x if axis else y) * cycles / TILE_PX
    if shift_rows:
        position = position + 0.5 * ((y * shift_rows / TILE_PX).astype(int) % 2)
    distance = np.abs(position - np.round(position))
    return np.clip(1.5 - distance / width, 0, 1).astype(np.float32)


def slab_tones(count: int) -> FloatArray:
    """One random tone for each square of a grid of `count` x `count`."""
    tones = np.random.default_rng(count).standard_normal((count, count)).astype(np.float32)
    return np.kron(tones, np.ones((TILE_PX // count + 1,) * 2, np.float32))[:TILE_PX, :TILE_PX]
