from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.objects import Placed, place
from relief.samples.scenes.shapes import rectangle
from relief.samples.scenes.view import View

VIEW = View(horizon_px=40.0, centre_px=64.0, focal_px=100.0, height_m=2.0, bend=0.0)


def paint(*placed: Placed) -> Canvas:
    canvas = Canvas((100, 128))
    canvas.image[:] = 0.5
    for item in placed:
        place(canvas, VIEW, item, np.random.default_rng(0))
    return canvas


def test_size_and_place_follow_the_distance():
    canvas = paint(Placed("car", [rectangle(-1, 0, 1, 1.5)], 50.0, 5.0))
    rows, columns = np.nonzero(canvas.label_ids == 26)
    # 20 px a metre; the ground at 5 m is 40 px below the horizon
    assert (columns.min(), columns.max()) == pytest.approx((30, 70), abs=1)
    assert (rows.min(), rows.max()) == pytest.approx((50, 80), abs=1)
    inside = canvas.distance_m[canvas.label_ids == 26]
    assert abs(inside.mean() - 5.0) < 0.2
    assert np.ptp(inside) <= 0.6


def test_a_lifted_object_hangs_and_casts_no_shadow():
    canvas = paint(Placed("traffic sign", [rectangle(-0.5, 0, 0.5, 1)], 50.0, 5.0, lift_m=2.0))
    rows = np.nonzero(canvas.label_ids)[0]
    assert rows.max() == pytest.approx(40, abs=1)
    assert (canvas.image[45:] == 0.5).all()


def test_a_standing_object_darkens_the_ground():
    canvas = paint(Placed("car", [rectangle(-1, 0, 1, 1.5)], 50.0, 5.0))
    assert canvas.image[82, 50, 0] < 0.45


def test_an_object_outside_of_the_picture_is_no_error():
    assert not paint(Placed("car", [rectangle(-1, 0, 1, 1.5)], 900.0, 5.0)).label_ids.any()
