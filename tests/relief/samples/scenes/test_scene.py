from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.scene import draw_scene


@pytest.fixture(scope="module")
def canvas():
    return draw_scene(np.random.default_rng(3), (256, 512))


def test_size_and_completeness(canvas):
    assert canvas.image.shape == (256, 512, 3)
    assert np.isfinite(canvas.image).all()
    assert (canvas.label_ids > 0).mean() > 0.99
    assert {7, 8, 11, 23} <= set(np.unique(canvas.label_ids))


def test_the_same_generator_draws_the_same_scene(canvas):
    again = draw_scene(np.random.default_rng(3), (256, 512))
    np.testing.assert_array_equal(again.image, canvas.image)
    np.testing.assert_array_equal(again.instance_ids, canvas.instance_ids)
    np.testing.assert_array_equal(again.distance_m, canvas.distance_m)


def test_few_colours_are_cut_off(canvas):
    outside = (canvas.image < 0) | (canvas.image > 1)
    assert outside.mean() < 0.02


def test_what_is_in_front_hides_what_is_behind(canvas):
    """Along the lower border of an object the ground beside it is as far as the object."""
    for number in np.unique(canvas.instance_ids[canvas.instance_ids >= 24000]):
        if number // 1000 != 26:
            continue
        inside = canvas.distance_m[canvas.instance_ids == number]
        assert np.ptp(inside) < 1.0
        assert 5 < inside.mean() < 41
