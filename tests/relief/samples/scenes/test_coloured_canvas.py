from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.coloured_canvas import ColouredCanvas, class_colour
from relief.samples.scenes.scene import SceneBuilder

CLASSES = ("road", "car", "person")
SIZE = (96, 192)


def drawn(canvas, seed):
    return SceneBuilder(np.random.default_rng(seed), canvas(SIZE)).draw()


def test_colours_differ_by_class_and_are_always_the_same():
    colours = np.array([class_colour(name) for name in CLASSES])
    class_colour.cache_clear()
    np.testing.assert_array_equal(colours, [class_colour(name) for name in CLASSES])
    assert colours.min() >= 0.1 and colours.max() <= 0.9
    for one in range(3):
        assert np.abs(colours[one] - colours[one - 1]).max() > 0.05


def test_the_scene_is_that_of_the_plain_canvas():
    plain, coloured = drawn(Canvas, 1), drawn(ColouredCanvas, 1)
    np.testing.assert_array_equal(coloured.instance_ids, plain.instance_ids)
    np.testing.assert_array_equal(coloured.distance_m, plain.distance_m)


@pytest.mark.parametrize(("canvas", "says"), [(Canvas, False), (ColouredCanvas, True)])
def test_colour_says_something_of_the_class(canvas, says):
    """Of the variance of a road's and a building's mean colours, most lies between the two."""
    scenes = [drawn(canvas, seed) for seed in range(6)]
    means = np.array(
        [[one.image[one.label_ids == label].mean(axis=0) for one in scenes] for label in (7, 11)]
    )  # (2, scenes, 3)
    between = np.square(means.mean(axis=1)[0] - means.mean(axis=1)[1]).sum()
    within = np.square(means - means.mean(axis=1, keepdims=True)).sum(axis=-1).mean()
    assert (between > 4 * within) == says
