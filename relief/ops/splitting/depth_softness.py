"""How soft the edges of a depth map are, measured without labels."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from relief.ops.depth_edges import gradient_magnitude_cpu

_LARGEST_SHARE = 0.01  # of the pixels: the strongest edges tell
_LEAST_STEP = 0.02  # lower steps are noise
_SOBEL_SUM = 8.0


def edge_softness_px(depth: NDArray[Any], reach_px: int = 12) -> float:
    """Measures the sigma of a Gaussian that would make steps as soft as the edges of a map.

    A step of height h that a Gaussian of sigma blurred rises by h / (sigma sqrt(2 pi)) per pixel at
    its steepest. Steps and slopes are taken where the gradient is greatest; the median counts.

    Args:
        depth: (H, W) float in [0, 1].
        reach_px: How far beside an edge its two sides are looked for; about three times the
            largest sigma that can be told.

    Returns:
        Sigma in pixels: about 0.5 for sharp depth (the pixel itself), 0 without any edge.
    """
    values = np.ascontiguousarray(depth, np.float32)
    slope = gradient_magnitude_cpu(values, sigma=0.0) / _SOBEL_SUM
    window = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    step = cv2.dilate(values, window) - cv2.erode(values, window)
    crest = slope >= cv2.dilate(slope.astype(np.float32), np.ones((5, 5), np.uint8)) - 1e-9
    strong = crest & (slope >= np.quantile(slope, 1 - _LARGEST_SHARE)) & (step > _LEAST_STEP)
    strong &= slope > 0
    if not strong.any():
        return 0.0
    return float(np.median(step[strong] / slope[strong]) / math.sqrt(2 * math.pi))
