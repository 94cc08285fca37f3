from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from relief.ops.depth_edges import gradient_magnitude, gradient_magnitude_cpu

GOLDEN = Path(__file__).parents[2] / "golden" / "depth_split.npz"


def as_batch(depth, dtype):
    return torch.from_numpy(depth.astype(dtype))[None, None]


def judged(depth, sigma):
    smooth = ndimage.gaussian_filter(depth, sigma) if sigma else depth
    return np.hypot(ndimage.sobel(smooth, axis=1), ndimage.sobel(smooth, axis=0))


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as file:
        return {name: file[name] for name in file if name.endswith(("/depth", "/gradient"))}


@pytest.mark.parametrize("scene", range(6))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient__golden(golden, scene, dtype):
    depth, expected = golden[f"{scene}/depth"], golden[f"{scene}/gradient"]
    found = gradient_magnitude(as_batch(depth, dtype))
    assert found.dtype == (torch.float32 if dtype == np.float32 else torch.float64)
    assert found.shape == (1, 1, *depth.shape)
    np.testing.assert_allclose(found[0, 0], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (3, 4), (37, 50)])
@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.7, 1.0, 2.0])
def test_gradient__both_versions_equal_scipy(size, sigma):
    depth = np.random.default_rng(0).random(size)
    expected = judged(depth, sigma)
    np.testing.assert_allclose(
        gradient_magnitude(as_batch(depth, np.float64), sigma)[0, 0], expected, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(gradient_magnitude_cpu(depth, sigma), expected, rtol=0, atol=1e-12)


def test_gradient_cpu__float32_is_computed_in_float64(golden):
    depth = golden["0/depth"]
    found = gradient_magnitude_cpu(depth)
    assert found.dtype == np.float64
    # Where an image lies in memory may decide how sums are vectorised: the last bit is free.
    expected = gradient_magnitude_cpu(depth.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_gradient__step_of_one_has_magnitude_four():
    depth = torch.zeros(1, 1, 5, 6)
    depth[..., 3:] = 1.0
    expected = torch.tensor([0.0, 0.0, 4.0, 4.0, 0.0, 0.0]).expand(5, 6)
    torch.testing.assert_close(gradient_magnitude(depth, sigma=0)[0, 0], expected)


def test_gradient__images_of_a_batch_do_not_mix(golden):
    depths = torch.stack([as_batch(golden[f"{i}/depth"], np.float32)[0] for i in range(3)])
    together = gradient_magnitude(depths)
    alone = torch.cat([gradient_magnitude(depth[None]) for depth in depths])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
