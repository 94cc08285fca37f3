from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from relief.samples.scenes.coloured_canvas import ColouredCanvas
from relief.samples.scenes.hazy_scene import Haze, draw_hazy_scene
from relief.samples.scenes.scene import draw_scene

SIZE = (256, 512)


@pytest.fixture(scope="module")
def pair():
    return tuple(draw(np.random.default_rng(3), SIZE) for draw in (draw_scene, draw_hazy_scene))


def test_layout_and_classes_are_those_of_the_first_domain(pair):
    clear, hazy = pair
    np.testing.assert_array_equal(hazy.instance_ids, clear.instance_ids)
    np.testing.assert_array_equal(hazy.label_ids, clear.label_ids)
    np.testing.assert_array_equal(hazy.distance_m, clear.distance_m)


def test_the_light_is_darker_and_bluer(pair):
    clear, hazy = (canvas.image.mean(axis=(0, 1)) for canvas in pair)
    assert hazy.mean() < clear.mean() - 0.03
    assert hazy[2] - hazy[0] > clear[2] - clear[0] + 0.03


def test_haze_takes_the_contrast_of_what_is_far(pair):
    def contrast(canvas, place):
        return canvas.image[place].std()

    clear, hazy = pair
    near = (clear.distance_m < 12) & (clear.label_ids == 7)
    far = (clear.distance_m > 30) & (clear.distance_m < 200)
    kept = [contrast(hazy, place) / contrast(clear, place) for place in (near, far)]
    assert kept[1] < 0.8 * kept[0]


def test_the_same_generator_draws_the_same_scene(pair):
    again = draw_hazy_scene(np.random.default_rng(3), SIZE)
    np.testing.assert_array_equal(again.image, pair[1].image)


def test_weather_and_canvas_are_arguments(pair):
    clear = pair[0]
    still = Haze(1.0, 0.0, (1e6, 1e6), gamma=(1.0, 1.0), light=(1.0, 1.0, 1.0))
    same = draw_hazy_scene(np.random.default_rng(3), SIZE, still)
    assert np.abs(same.image - np.clip(clear.image, 0, 1)).mean() < 0.05  # the grain
    sky = clear.label_ids == 23
    seen = [
        draw_hazy_scene(np.random.default_rng(3), SIZE, replace(still, sight_m=(50, 50), sky_m=m))
        for m in (20, 1e3)
    ]
    kept = [one.image[sky].std() / clear.image[sky].std() for one in seen]
    assert kept[0] > 0.6 > kept[1]
    coloured = draw_hazy_scene(np.random.default_rng(3), SIZE, still, ColouredCanvas)
    assert isinstance(coloured, ColouredCanvas)
