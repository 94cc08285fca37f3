"""The camera over a street."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relief.samples.scenes.fields import FloatArray


@dataclass
class View:
    """A camera over a street that may bend.

    Attributes:
        horizon_px: Row of the horizon.
        centre_px: Column where a straight street would vanish.
        focal_px: Focal length.
        height_m: Height of the camera above the ground.
        bend: Sideways shift of the street in metres per square metre of distance.
    """

    horizon_px: float
    centre_px: float
    focal_px: float
    height_m: float
    bend: float

    def column(self, x_m: float, z_m: NDArray[np.floating] | float) -> NDArray[np.floating]:
        """Columns of points beside the street's middle."""
        z = np.asarray(z_m, np.float64)
        return self.centre_px + self.focal_px * (x_m / z + self.bend * z)

    def row(self, y_m: float, z_m: NDArray[np.floating] | float) -> NDArray[np.floating]:
        """Rows of points above the ground."""
        return self.horizon_px + self.focal_px * (self.height_m - y_m) / np.asarray(z_m, np.float64)

    def ground_distance(self, row: NDArray[np.floating]) -> FloatArray:
        """Distance of the ground in each row; very far at the horizon."""
        below = np.maximum(row - self.horizon_px, 1e-3)
        return np.minimum(self.focal_px * self.height_m / below, 1e3).astype(np.float32)


def random_view(rng: np.random.Generator, size: tuple[int, int]) -> View:
    """A camera as on a car, somewhere on the street."""
    return View(
        horizon_px=size[0] * rng.uniform(0.34, 0.5),
        centre_px=size[1] * rng.uniform(0.36, 0.64),
        focal_px=size[1] * rng.uniform(0.6, 0.8),
        height_m=rng.uniform(1.4, 2.3),
        bend=rng.uniform(-0.004, 0.004) if rng.random() < 0.5 else 0.0,
    )
