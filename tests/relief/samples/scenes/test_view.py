from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.view import View, random_view


def test_projection():
    view = View(horizon_px=200, centre_px=500, focal_px=700, height_m=1.5, bend=0.01)
    # 700 px / 10 m = 70 px per metre; the bend shifts 10 m ahead by 0.01 * 100 m
    assert view.column(2.0, 10.0) == pytest.approx(500 + 140 + 70)
    assert view.row(0.0, 10.0) == pytest.approx(200 + 105)
    assert view.row(1.5, 33.0) == pytest.approx(200)


def test_ground_distance_is_the_inverse_of_row():
    view = View(horizon_px=200, centre_px=500, focal_px=700, height_m=1.5, bend=0.0)
    z = np.array([4.0, 12.0, 38.0])
    np.testing.assert_allclose(view.ground_distance(view.row(0.0, z)), z, rtol=1e-5)
    assert view.ground_distance(np.array([100.0]))[0] >= 1000  # above the horizon


def test_cameras_vary():
    views = [random_view(np.random.default_rng(seed), (512, 1024)) for seed in range(20)]
    assert np.ptp([view.horizon_px for view in views]) > 40
    assert np.ptp([view.centre_px for view in views]) > 100
    assert any(view.bend for view in views)
    assert not all(view.bend for view in views)
