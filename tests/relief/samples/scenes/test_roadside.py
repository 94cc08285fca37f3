from __future__ import annotations

import numpy as np

from relief.samples.scenes.roadside import Roadside
from relief.samples.scenes.view import View

VIEW = View(horizon_px=220.0, centre_px=512.0, focal_px=700.0, height_m=1.6, bend=0.0)


def test_lights_and_signs_hang_on_poles():
    carried = 0
    for seed in range(20):
        items = Roadside(np.random.default_rng(seed), VIEW, 4.5).draw()
        poles = {(item.column_px, round(item.z_m, 6)) for item in items if item.label == "pole"}
        for item in items:
            if item.label in ("traffic light", "traffic sign"):
                assert (item.column_px, round(item.z_m + 0.1, 6)) in poles
                assert item.lift_m > 1
                carried += 1
    assert carried > 40


def test_nothing_stands_on_the_road():
    for seed in range(20):
        for item in Roadside(np.random.default_rng(seed), VIEW, 4.5).draw():
            x_m = (item.column_px - VIEW.centre_px) * item.z_m / VIEW.focal_px
            assert abs(x_m) > 4.5
