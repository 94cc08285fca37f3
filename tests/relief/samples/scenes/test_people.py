from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.people import person, rider_side

SHAPES = [
    (person, (0.4, 1.4), (1.5, 2.0)),
    (rider_side, (0.5, 1.2), (1.6, 2.1)),
]


@pytest.mark.parametrize(("maker", "width_m", "height_m"), SHAPES)
def test_size_is_that_of_the_real_thing(maker, width_m, height_m):
    for seed in range(8):
        points = np.concatenate([part.points for part in maker(np.random.default_rng(seed))])
        low, high = points.min(0), points.max(0)
        assert width_m[0] <= high[0] - low[0] <= width_m[1]
        assert height_m[0] <= high[1] <= height_m[1]
        assert -0.1 <= low[1] <= 0.3  # stands on the ground
        assert low[0] < 0 < high[0]


@pytest.mark.parametrize("maker", [shape[0] for shape in SHAPES])
def test_no_two_are_alike(maker):
    one, other = (
        np.concatenate([part.points for part in maker(np.random.default_rng(seed))])
        for seed in (0, 1)
    )
    assert one.shape != other.shape or not np.allclose(one, other)
