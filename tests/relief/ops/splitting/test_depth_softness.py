import cv2
import numpy as np
import pytest

from relief.ops.splitting.depth_softness import edge_softness_px


def blocks():
    depth = np.full((120, 200), 0.8, np.float32)
    depth[30:90, 30:90] = 0.3
    depth[20:100, 130:180] = 0.5
    return depth


def test_sharp_depth_is_half_a_pixel_soft():
    assert 0.3 < edge_softness_px(blocks()) < 0.9


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0, 4.0])
def test_a_blur_is_measured(sigma):
    soft = cv2.GaussianBlur(blocks(), (0, 0), sigma)
    assert edge_softness_px(soft) == pytest.approx(sigma, rel=0.25)


def test_noise_changes_little_and_a_plane_has_no_edge():
    noise = np.random.default_rng(0).normal(0, 0.005, blocks().shape)
    soft = cv2.GaussianBlur(blocks(), (0, 0), 2.0) + noise
    assert edge_softness_px(soft) == pytest.approx(2.0, rel=0.3)
    assert edge_softness_px(np.full((40, 60), 0.5)) == 0.0
