"""Silhouettes as polygons in metres: x to the right, y up, the origin where the object stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass
class Part:
    """A polygon (N, 2), how much brighter than its object it is, and its share of the texture."""

    points: Points
    tone: float = 0.0
    contrast: float = 1.0

    def moved(self, x: float, y: float) -> Part:
        """The part shifted."""
        return replace(self, points=self.points + np.array([x, y]))

    def scaled(self, x: float, y: float) -> Part:
        """The part stretched around the origin."""
        return replace(self, points=self.points * np.array([x, y]))


Shape = list[Part]


def polygon(points: Sequence[tuple[float, float]], tone: float = 0.0) -> Part:
    """A part from its corners."""
    return Part(np.asarray(points, np.float64), tone)


def rectangle(left: float, bottom: float, right: float, top: float, tone: float = 0.0) -> Part:
    """An upright rectangle."""
    return polygon([(left, bottom), (right, bottom), (right, top), (left, top)], tone)


def ellipse(x: float, y: float, rx: float, ry: float, tone: float = 0.0) -> Part:
    """An ellipse of 20 corners."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return Part(np.stack((x + rx * np.cos(angle), y + ry * np.sin(angle)), 1), tone)


def limb(
    start: tuple[float, float], end: tuple[float, float], width: float, tone: float = 0.0
) -> Part:
    """A straight bar between two points."""
    a, b = np.asarray(start), np.asarray(end)
    along = (b - a) / max(1e-6, float(np.hypot(*(b - a))))
    side = np.array([-along[1], along[0]]) * width / 2
    return Part(np.stack((a + side, b + side, b - side, a - side)), tone)


def blob(
    rng: np.random.Generator, x: float, y: float, rx: float, ry: float, tone: float = 0.0
) -> Part:
    """An ellipse with a ragged outline."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 1 + 0.12 * rng.standard_normal(40).cumsum() / 3
    radius = 0.85 + 0.3 * (radius - radius.min()) / (np.ptp(radius) + 1e-6)
    radius = radius * (1 + 0.05 * rng.standard_normal(40))
    return Part(
        np.stack((x + rx * radius * np.cos(angle), y + ry * radius * np.sin(angle)), 1), tone
    )


def faint(part: Part, contrast: float = 0.5) -> Part:
    """The part with less texture: glass, tyres."""
    return replace(part, contrast=contrast)


def wheel(x: float, radius: float) -> Shape:
    """A wheel on the ground: tyre and hub."""
    return [
        faint(ellipse(x, radius, radius, radius, -0.2)),
        ellipse(x, radius, radius * 0.5, radius * 0.5, 0.1),
    ]


def mirrored(shape: Shape) -> Shape:
    """The shape seen from the other side."""
    return [part.scaled(-1, 1) for part in shape]


def scaled(shape: Shape, x: float, y: float) -> Shape:
    """The shape stretched around its origin."""
    return [part.scaled(x, y) for part in shape]


def moved(shape: Shape, x: float, y: float) -> Shape:
    """The shape shifted."""
    return [part.moved(x, y) for part in shape]


def fill(mask: NDArray[np.uint8], points: Points, value: int = 1) -> None:
    """Fills a polygon given in pixels (column, row), to a sixteenth of a pixel."""
    corners = np.round(np.clip(points, -4096, 8192) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], value, cv2.LINE_8, 4)


def fill_tone(field: NDArray[np.float32], points: Points, tone: float) -> None:
    """As `fill` into a map of tones."""
    corners = np.round(np.clip(points, -4096, 8192) * 16).astype(np.int32)
    cv2.fillPoly(field, [corners], tone, cv2.LINE_8, 4)
