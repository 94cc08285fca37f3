"""Soft edges of depth made steps again, so that one threshold fits every depth source."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from relief.schema.errors import UsageError


@dataclass(frozen=True)
class ToggleSharpening:
    """Moves every pixel to the nearer of the two depths that an edge parts.

    A median, then several times: each pixel takes the least or the greatest value of its
    neighbourhood, whichever is nearer to its own (toggle mapping: Kramer and Bruckner, "Iterations
    of a non-linear transformation for enhancement of digital images", 1975), then a median. Depth
    that a network smoothed over a few pixels, or that was enlarged, has steps afterwards; sharp
    depth stays as it is, but for what is smaller than the median.

    Args:
        times: How often pixels are moved; the reach is `times * (window_px // 2)` pixels.
        window_px: Side of the neighbourhood, odd.
        median_px: Side of both medians: 3 or 5; 1 for none.

    Raises:
        UsageError: A number is out of its range.

    Example:
        >>> import torch
        >>> ramp = torch.tensor([0.0, 0.0, 0.1, 0.4, 0.8, 1.0, 1.0]).expand(1, 1, 3, 7)
        >>> ToggleSharpening(times=2, window_px=3, median_px=1)(ramp)[0, 0, 0].tolist()
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """

    times: int = 3
    window_px: int = 5
    median_px: int = 5

    def __post_init__(self) -> None:
        if self.times < 0 or self.window_px < 3 or self.window_px % 2 == 0:
            msg = (
                f"times={self.times}, window_px={self.window_px}: expected at least 0 and an odd "
                "number of at least 3. Give other numbers."
            )
            raise UsageError(msg)
        if self.median_px not in (1, 3, 5):
            msg = f"median_px={self.median_px}: expected 1, 3 or 5. Give another number."
            raise UsageError(msg)

    def __call__(self, depth: Tensor) -> Tensor:
        """Sharpens depth maps, on the CPU.

        Args:
            depth: (B, 1, H, W) float in [0, 1].

        Returns:
            The same shape, dtype and device; computed in float32.
        """
        maps = [self.sharpened(one[0].cpu().numpy()) for one in depth]
        if not maps:
            return depth
        return from_numpy(np.stack(maps))[:, None].to(depth)

    def sharpened(self, depth: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sharpens one map (H, W)."""
        sharp = self._median(np.ascontiguousarray(depth, np.float32))
        window = np.ones((self.window_px, self.window_px), np.uint8)
        for _ in range(self.times):
            far, near = cv2.dilate(sharp, window), cv2.erode(sharp, window)
            sharp = np.where(far - sharp < sharp - near, far, near)
        return self._median(np.ascontiguousarray(sharp, np.float32))

    def _median(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.median_px == 1:
            return depth
        return np.asarray(cv2.medianBlur(depth, self.median_px), np.float32)
