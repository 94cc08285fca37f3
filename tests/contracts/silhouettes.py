"""What every silhouette must do; its test inherits this class and lists `shapes`."""

import numpy as np


def corners(maker, seed):
    """(N, 2) all points of a silhouette, in metres."""
    return np.concatenate([part.points for part in maker(np.random.default_rng(seed))])


class SilhouetteContract:
    """Silhouettes have the size of the real thing, stand on the ground, and are never alike.

    Attributes:
        shapes: Maker, range of its width and range of its height, in metres.
    """

    shapes = ()

    def test_size_is_that_of_the_real_thing(self):
        assert self.shapes
        for maker, width_m, height_m in self.shapes:
            for seed in range(8):
                low, high = (f(corners(maker, seed), 0) for f in (np.min, np.max))
                assert width_m[0] <= high[0] - low[0] <= width_m[1], maker
                assert height_m[0] <= high[1] <= height_m[1], maker
                assert -0.1 <= low[1] <= 0.3, maker  # stands on the ground
                assert low[0] < 0 < high[0], maker

    def test_no_two_are_alike(self):
        for maker, _, _ in self.shapes:
            first, second = corners(maker, 0), corners(maker, 1)
            assert first.shape != second.shape or not np.allclose(first, second), maker
