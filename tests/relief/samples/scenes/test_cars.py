from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.cars import car_end, car_quarter, car_side, truck_end, truck_side

SHAPES = [
    (car_side, (3.9, 4.8), (1.4, 1.8)),
    (car_end, (1.7, 1.96), (1.4, 1.8)),
    (car_quarter, (2.5, 4.3), (1.4, 1.8)),
    (truck_side, (6, 8.5), (2.9, 3.7)),
    (truck_end, (2.3, 2.6), (3.0, 3.7)),
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
