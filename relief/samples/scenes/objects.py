"""Puts silhouettes on the street: bigger when near, with their shadow and distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.palette import surface
from relief.samples.scenes.shapes import Shape, fill, fill_tone
from relief.samples.scenes.view import View


@dataclass
class Placed:
    """An object to be painted when its turn comes.

    Attributes:
        label: A name of the Cityscapes table.
        shape: Its silhouette.
        column_px: Where it stands.
        z_m: How far away.
        lift_m: How high above the ground its origin is.
        is_group: Not told apart from its neighbours.
        has_shadow: Whether it darkens the ground under it.
    """

    label: str
    shape: Shape
    column_px: float
    z_m: float
    lift_m: float = 0.0
    is_group: bool = False
    has_shadow: bool = True


def place(canvas: Canvas, view: View, placed: Placed, rng: np.random.Generator) -> None:
    """Paints one object over the scene."""
    scale = view.focal_px / placed.z_m
    ground = float(view.row(placed.lift_m, placed.z_m))
    parts = [part.points * (scale, -scale) + (placed.column_px, ground) for part in placed.shape]
    corners = np.concatenate(parts)
    low, high = corners.min(0), corners.max(0)
    if placed.has_shadow and placed.lift_m == 0:
        _shadow(canvas, (low[0] + high[0]) / 2, float(high[1]), (high[0] - low[0]) / 2, scale)
    box = canvas.clip(low[1], low[0], high[1], high[0])
    look = surface(rng, placed.label, placed.z_m)
    lean = rng.uniform(-0.6, 0.6)
    if box.is_empty:
        return
    mask = np.zeros(box.size, np.uint8)
    tone = np.zeros(box.size, np.float32)
    contrast = np.ones(box.size, np.float32)
    for part, points in zip(placed.shape, parts, strict=True):
        fill(mask, points - (box.left, box.top))
        fill_tone(tone, points - (box.left, box.top), part.tone)
        fill_tone(contrast, points - (box.left, box.top), part.contrast)
    across = np.arange(box.left, box.right, dtype=np.float32) - np.float32(placed.column_px)
    across = np.clip(across / np.float32(max(1.0, high[0] - low[0])), -0.5, 0.5)
    distance = np.broadcast_to(np.float32(placed.z_m) + np.float32(lean) * across, box.size)
    canvas.paint(
        box,
        mask.astype(bool),
        look,
        distance,
        tone=tone,
        contrast=contrast,
        is_group=placed.is_group,
    )


def _shadow(canvas: Canvas, column: float, row: float, half_width: float, scale: float) -> None:
    reach = max(2.0, 0.22 * scale)
    box = canvas.clip(
        row - reach, column - 1.15 * half_width, row + reach, column + 1.15 * half_width
    )
    if box.is_empty:
        return
    y = (np.arange(box.top, box.bottom) - row) / reach
    x = (np.arange(box.left, box.right) - column) / (1.15 * half_width + 1)
    inside = np.clip(1 - (x[None] ** 4 + y[:, None] ** 2), 0, 1)
    canvas.darken(box, (1 - 0.45 * inside).astype(np.float32))
