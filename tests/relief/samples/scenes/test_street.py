from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.palette import surface
from relief.samples.scenes.street import paint_facade, paint_ground
from relief.samples.scenes.view import View

VIEW = View(horizon_px=40.0, centre_px=64.0, focal_px=100.0, height_m=2.0, bend=0.0)


def test_ground_distance_falls_towards_the_bottom():
    # 100 px * 2 m / (90 - 40) px = 4 m
    assert VIEW.ground_distance(np.array([90.0]))[0] == pytest.approx(4.0)
    assert VIEW.row(0, 4.0) == pytest.approx(90.0)
    assert VIEW.column(-1.0, 4.0) == pytest.approx(39.0)


def test_ground_has_the_distance_of_its_row():
    canvas = Canvas((96, 128))
    look = surface(np.random.default_rng(0), "road")
    paint_ground(canvas, VIEW, look, -1.0, 1.0)
    assert canvas.label_ids[90, 64] == 7
    assert canvas.distance_m[90, 64] == pytest.approx(4.0)
    assert canvas.label_ids[90, 30] == 0  # 1 m left of the middle ends at column 39
    assert canvas.label_ids[90, 42] == 7


def test_facade_is_slanted_and_continuous():
    canvas = Canvas((96, 256))
    look = surface(np.random.default_rng(0), "wall")
    paint_facade(canvas, VIEW, look, 4.0, (4.0, 20.0), 3.0)
    row = canvas.label_ids[42] == 12
    columns = np.flatnonzero(row)
    # from 64 + 400 / 20 to 64 + 400 / 4
    assert abs(columns.min() - 84) <= 1
    assert abs(columns.max() - 164) <= 1
    z = canvas.distance_m[42][row]
    np.testing.assert_allclose(z, 400 / (columns - 64.0), rtol=0.02)
    assert (np.diff(z) < 0).all()
