from __future__ import annotations

import numpy as np

from relief.samples.scenes.shapes import (
    ellipse,
    faint,
    fill,
    fill_tone,
    limb,
    mirrored,
    moved,
    rectangle,
    scaled,
    wheel,
)


def test_fill_covers_the_pixels_inside():
    mask = np.zeros((8, 10), np.uint8)
    fill(mask, np.array([[2, 1], [5, 1], [5, 6], [2, 6]]))
    assert mask.sum() == 4 * 6
    assert mask[1:7, 2:6].all()


def test_fill_tone_writes_the_tone_and_survives_points_far_outside():
    field = np.zeros((4, 4), np.float32)
    fill_tone(field, np.array([[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]]), 0.25)
    np.testing.assert_array_equal(field, 0.25)


def test_mirror_move_and_scale():
    shape = [rectangle(0, 0, 2, 1, tone=0.1)]
    assert mirrored(shape)[0].points[:, 0].min() == -2
    assert moved(shape, 3, 4)[0].points.min(0).tolist() == [3, 4]
    assert scaled(shape, 2, 3)[0].points.max(0).tolist() == [4, 3]
    assert moved(shape, 3, 4)[0].tone == 0.1
    assert shape[0].points.max(0).tolist() == [2, 1]  # the shape itself stays


def test_limb_has_its_width_and_length():
    points = limb((0, 0), (0, 2), 0.5).points
    assert np.ptp(points, axis=0).tolist() == [0.5, 2]


def test_wheel_stands_on_the_ground():
    tyre, hub = wheel(1.0, 0.3)
    assert abs(tyre.points[:, 1].min()) < 0.02
    assert hub.points[:, 1].min() > 0.1
    assert tyre.contrast < 1
    assert faint(ellipse(0, 0, 1, 1), 0.3).contrast == 0.3
