from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.hazy_scene import draw_hazy_scene
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
