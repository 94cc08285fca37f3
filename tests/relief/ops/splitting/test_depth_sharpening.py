import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.errors import UsageError


def two_levels(height=40, width=60):
    depth = np.full((height, width), 0.8, np.float32)
    depth[10:30, 20:40] = 0.3
    return depth


def test_a_blurred_step_becomes_a_step_at_the_same_place():
    depth = two_levels()
    soft = cv2.GaussianBlur(depth, (0, 0), 2.0)
    sharp = ToggleSharpening(times=4)(torch.from_numpy(soft)[None, None])[0, 0].numpy()
    row = sharp[20]
    assert np.abs(row - depth[20]).max() < 0.02
    assert np.abs(np.diff(row)).max() > 0.47 > np.abs(np.diff(soft[20])).max()


def test_steps_and_planes_stay_as_they_are():
    depth = two_levels()
    np.testing.assert_array_equal(ToggleSharpening(median_px=1).sharpened(depth), depth)
    flat = np.full((9, 9), 0.4, np.float32)
    np.testing.assert_array_equal(ToggleSharpening().sharpened(flat), flat)


def test_a_pixel_takes_the_nearer_of_least_and_greatest():
    generator = np.random.default_rng(0)
    depth = generator.random((12, 15)).astype(np.float32)
    expected = depth
    for _ in range(2):
        far = ndimage.maximum_filter(expected, 3, mode="nearest")
        near = ndimage.minimum_filter(expected, 3, mode="nearest")
        expected = np.where(far - expected < expected - near, far, near)
    sharp = ToggleSharpening(times=2, window_px=3, median_px=1).sharpened(depth)
    np.testing.assert_array_equal(sharp, expected)
    whole = ToggleSharpening(times=2, window_px=3, median_px=3).sharpened(depth)
    assert not np.array_equal(whole, sharp)


def test_batches_keep_dtype_and_shape():
    depth = torch.rand(3, 1, 8, 9, dtype=torch.float64)
    sharp = ToggleSharpening()(depth)
    assert sharp.shape == depth.shape
    assert sharp.dtype == torch.float64
    assert torch.equal(sharp[1:2], ToggleSharpening()(depth[1:2]))
    assert ToggleSharpening()(depth[:0]).shape == (0, 1, 8, 9)


@pytest.mark.parametrize("numbers", [{"times": -1}, {"window_px": 4}, {"median_px": 7}])
def test_numbers_out_of_range_are_told(numbers):
    with pytest.raises(UsageError, match=next(iter(numbers))):
        ToggleSharpening(**numbers)
