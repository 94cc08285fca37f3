"""Depth edges: magnitude of the Sobel gradient of a smoothed depth map.

The scale is that of the plain 3x3 Sobel (absolute weights sum to 8), after a Gaussian truncated at
4 sigma, with borders mirrored including the edge pixel. Thresholds mean pixels of the map given:
the same scene at twice the size has about half the gradient.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TRUNCATE_SIGMAS = 4.0


def gradient_magnitude(depth: Tensor, sigma: float = 1.0) -> Tensor:
    """Gradient magnitude of depth maps, on their device and in their precision.

    Args:
        depth: (B, 1, H, W) float32 or float64 in [0, 1].
        sigma: Standard deviation of the smoothing in pixels; 0 smooths nothing.

    Returns:
        (B, 1, H, W), dtype of `depth`: sqrt(gx^2 + gy^2), not normalised.
    """
    from kornia.filters import spatial_gradient  # a second, where nothing needs edges

    if sigma > 0:
        depth = _blur(depth, sigma)
    gradient = spatial_gradient(depth, mode="sobel", order=1, normalized=False)
    return gradient.square().sum(dim=2).sqrt()


def gradient_magnitude_cpu(depth: NDArray[Any], sigma: float = 1.0) -> NDArray[np.float64]:
    """The same through OpenCV in float64, several times faster on a CPU.

    Args:
        depth: (H, W) float32 or float64 in [0, 1].
        sigma: Standard deviation of the smoothing in pixels; 0 smooths nothing.

    Returns:
        (H, W) float64.
    """
    along_x, along_y = gradient_cpu(depth, sigma)
    return np.asarray(cv2.magnitude(along_x, along_y), dtype=np.float64)


def gradient_cpu(
    depth: NDArray[Any], sigma: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two parts of that gradient, which points to where it is farther.

    Args:
        depth: (H, W) float32 or float64 in [0, 1].
        sigma: Standard deviation of the smoothing in pixels; 0 smooths nothing.

    Returns:
        Along the columns and along the rows, (H, W) float64 each.
    """
    smooth = np.ascontiguousarray(depth, dtype=np.float64)
    if sigma > 0:
        side = 2 * _radius(sigma) + 1
        smooth = cv2.GaussianBlur(smooth, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
    along_x = cv2.Sobel(smooth, cv2.CV_64F, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT)
    along_y = cv2.Sobel(smooth, cv2.CV_64F, 0, 1, ksize=3, borderType=cv2.BORDER_REFLECT)
    return np.asarray(along_x), np.asarray(along_y)


def _radius(sigma: float) -> int:
    return int(_TRUNCATE_SIGMAS * sigma + 0.5)


def _blur(depth: Tensor, sigma: float) -> Tensor:
    radius = _radius(sigma)
    if radius == 0:
        return depth
    # torch's "reflect" leaves the edge pixel out, so the mirrored border is indexed by hand.
    from kornia.filters import gaussian_blur2d

    rows = _mirrored(depth.shape[-2], radius, depth.device)
    columns = _mirrored(depth.shape[-1], radius, depth.device)
    padded = depth.index_select(-2, rows).index_select(-1, columns)
    side = 2 * radius + 1
    blurred = gaussian_blur2d(padded, (side, side), (sigma, sigma), border_type="constant")
    return blurred[..., radius:-radius, radius:-radius]


def _mirrored(size: int, radius: int, device: torch.device) -> Tensor:
    return torch.from_numpy(np.pad(np.arange(size), radius, mode="symmetric")).to(device)
