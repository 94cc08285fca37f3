from __future__ import annotations

import numpy as np
import pytest

from relief.samples.scenes.long_vehicles import bus_end, bus_side, train_end, train_side

SHAPES = [
    (bus_side, (8.5, 11), (2.9, 3.3)),
    (bus_end, (2.4, 2.6), (2.9, 3.3)),
    (train_side, (11, 17), (3.2, 3.6)),
    (train_end, (2.4, 2.7), (3.3, 3.7)),
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
