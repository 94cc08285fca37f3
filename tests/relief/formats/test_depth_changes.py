import numpy as np
import pytest

from relief.formats.depth_changes import bent, softened


@pytest.mark.parametrize("curve", ["same", "half", "inverse", "root"])
def test_bent_depth_keeps_its_order_and_its_range(curve):
    depth = np.linspace(0, 1, 50, dtype=np.float32)[None]
    other = bent(depth, curve)
    assert other.dtype == np.float32
    assert (np.diff(other[0]) > 0).all()
    assert other[0, 0] == pytest.approx(0)
    assert other[0, -1] == pytest.approx(0.5 if curve == "half" else 1)
    near = other[0, 1] - other[0, 0] > depth[0, 1]  # steps near by are worth more
    assert near == (curve in ("inverse", "root"))


def test_nothing_is_blurred_by_nothing():
    depth = np.random.default_rng(0).random((8, 9)).astype(np.float32)
    np.testing.assert_array_equal(softened(depth, 0, 0, np.random.default_rng(1)), depth)
