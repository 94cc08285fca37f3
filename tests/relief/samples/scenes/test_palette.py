from __future__ import annotations

import numpy as np

from relief.samples.scenes.palette import random_colour, surface


def test_colours_are_muted_and_vary():
    rng = np.random.default_rng(0)
    colours = np.stack([random_colour(rng) for _ in range(300)])
    assert colours.min() >= 0.25
    assert colours.max() <= 0.75
    assert np.ptp(colours, axis=1).mean() < 0.2
    assert colours.std(0).min() > 0.05


def test_the_look_depends_on_the_class_in_its_name_only():
    car, sky = (surface(np.random.default_rng(5), label) for label in ("car", "sky"))
    np.testing.assert_array_equal(car.colour, sky.colour)
    assert (car.zoom, car.gain, car.phase, car.dirt) == (sky.zoom, sky.gain, sky.phase, sky.dirt)


def test_near_is_coarser_and_clearer_than_far():
    near, far = (surface(np.random.default_rng(5), "car", z_m) for z_m in (6.0, 36.0))
    assert near.zoom > 1.2 * far.zoom
    assert near.gain > 1.2 * far.gain
