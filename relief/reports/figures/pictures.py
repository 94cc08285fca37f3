"""Pictures inside a page: sizes, JPEG bytes and data addresses."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
from PIL import Image

from relief.reports.figures.overlay import Picture

_JPEG_QUALITY = 84


def fit_within(size: tuple[int, int], longest_px: int) -> tuple[int, int]:
    """The (height, width) with the same aspect and no side above `longest_px`; never larger."""
    scale = min(1.0, longest_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture at another (height, width): averaged when it shrinks, else blocks."""
    if picture.shape[:2] == size:
        return picture
    shrinks = size[0] <= picture.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=interpolation))


def jpeg(picture: Picture) -> bytes:
    """JPEG bytes of (H, W, 3) uint8 RGB, colours at full resolution."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()


def data_address(picture: Picture) -> str:
    """A picture as the `src` of an image in a self-contained page."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture)).decode("ascii")
