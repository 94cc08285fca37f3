"""The street itself: ground, facades and sky, each with its distance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from relief.samples.scenes.canvas import Box, Canvas, Surface
from relief.samples.scenes.fields import FloatArray
from relief.samples.scenes.palette import surface
from relief.samples.scenes.shapes import fill, fill_tone
from relief.samples.scenes.view import View

_FAR_M = 120.0


def paint_sky(canvas: Canvas, rng: np.random.Generator) -> None:
    """Fills the whole canvas with sky."""
    box = canvas.clip(0, 0, canvas.size[0] - 1, canvas.size[1] - 1)
    look = surface(rng, "sky", 15.0)
    look.gain *= 0.6  # clouds are soft
    canvas.paint(box, np.ones(box.size, bool), look, 1e3)


def _ground_warp(view: View, box: Box) -> tuple[FloatArray, FloatArray]:
    """Texture coordinates that shrink a little with distance and run to the vanishing point."""
    rows = np.arange(box.top, box.bottom, dtype=np.float32)
    columns = np.arange(box.left, box.right, dtype=np.float32)
    near = np.maximum(rows - view.horizon_px, 2.0) / 200.0
    y = 200.0 / 0.72 * near**0.72
    x = (columns[None] - view.centre_px) * near[:, None] ** -0.28
    return np.broadcast_to(y[:, None], box.size).astype(np.float32), x.astype(np.float32)


def paint_ground(
    canvas: Canvas,
    view: View,
    look: Surface,
    left_m: float,
    right_m: float,
    near_m: float = 1.5,
    far_m: float = _FAR_M,
    stripes: tuple[float, ...] = (),
) -> None:
    """Paints a strip of ground along the street, or across it when it is wide and short.

    Args:
        canvas: Where.
        view: The camera.
        look: Class and colour.
        left_m: Left border, metres from the street's middle.
        right_m: Right border.
        near_m: Where it begins.
        far_m: Where it ends.
        stripes: Dashed lines, metres from the street's middle.
    """
    z = np.geomspace(near_m, far_m, 40)
    outline = np.concatenate(
        (
            np.stack((view.column(left_m, z), view.row(0, z)), 1),
            np.stack((view.column(right_m, z), view.row(0, z)), 1)[::-1],
        )
    )
    box = canvas.clip(outline[:, 1].min(), 0, canvas.size[0] - 1, canvas.size[1] - 1)
    if box.is_empty:
        return
    mask = np.zeros(box.size, np.uint8)
    fill(mask, outline - (box.left, box.top))
    tone = np.zeros(box.size, np.float32)
    for x_m in stripes:
        for start in np.arange(4.0, 50.0, 7.0):
            dash = np.linspace(start, start + 3.5, 4)
            edge = [
                np.stack((view.column(x_m + s, dash), view.row(0, dash)), 1) for s in (-0.1, 0.1)
            ]
            fill_tone(tone, np.concatenate((edge[0], edge[1][::-1])) - (box.left, box.top), 0.2)
    rows = np.arange(box.top, box.bottom, dtype=np.float64)
    distance = np.broadcast_to(view.ground_distance(rows)[:, None], box.size)
    canvas.paint(box, mask.astype(bool), look, distance, tone=tone, warp=_ground_warp(view, box))


def cast_shadow(canvas: Canvas, view: View, left_m: float, right_m: float, light: float) -> None:
    """Darkens a strip of ground along the street, as the houses of one side do; soft at its edge.

    Args:
        canvas: Where.
        view: The camera.
        left_m: Left border, metres from the street's middle.
        right_m: Right border.
        light: Factor on the colours inside, below 1.
    """
    z = np.geomspace(1.5, _FAR_M, 40)
    edges = [np.stack((view.column(x, z), view.row(0, z)), 1) for x in (left_m, right_m)]
    box = canvas.clip(view.horizon_px, 0, canvas.size[0] - 1, canvas.size[1] - 1)
    factor = np.ones(box.size, np.float32)
    fill_tone(factor, np.concatenate((edges[0], edges[1][::-1])) - (box.left, box.top), light)
    canvas.darken(box, cv2.GaussianBlur(factor, (0, 0), 2.5))


def paint_facade(
    canvas: Canvas,
    view: View,
    look: Surface,
    x_m: float,
    z_m: tuple[float, float],
    height_m: float,
    windows: tuple[float, float] | None = None,
    ragged: np.random.Generator | None = None,
) -> None:
    """Paints an upright plane along the street: a house front, a wall, a fence, a hedge.

    Args:
        canvas: Where.
        view: The camera.
        look: Class and colour.
        x_m: Metres from the street's middle.
        z_m: Distances of its two ends.
        height_m: Height.
        windows: Spacing of the windows (up, along) in metres, if it has some.
        ragged: Draws an uneven upper border.
    """
    z = np.geomspace(*z_m, 64)
    columns = view.column(x_m, z)
    heights = np.full(64, height_m)
    if ragged is not None:
        leaves = ragged.standard_normal((2, 64)).astype(np.float32)
        crowns = cv2.GaussianBlur(leaves[:1], (0, 0), 4.0)[0]
        heights = heights * (1 + 0.25 * crowns + 0.02 * leaves[1])
    top = view.horizon_px + view.focal_px * (view.height_m - heights) / z
    outline = np.concatenate(
        (np.stack((columns, view.row(0, z)), 1), np.stack((columns, top), 1)[::-1])
    )
    box = canvas.clip(outline[:, 1].min(), columns.min(), outline[:, 1].max(), columns.max())
    if box.is_empty:
        return
    mask = np.zeros(box.size, np.uint8)
    fill(mask, outline - (box.left, box.top))
    order = np.argsort(columns)
    x = np.arange(box.left, box.right)
    distance = np.interp(x, columns[order], z[order]).astype(np.float32)
    tone = np.zeros(box.size, np.float32)
    contrast = np.ones(box.size, np.float32)
    if windows is not None:
        _add_windows(tone, contrast, view, box, x_m, z_m, height_m, windows)
    middle = float(np.sqrt(z_m[0] * z_m[1]))
    rows = np.arange(box.top, box.bottom, dtype=np.float32)[:, None] - np.float32(view.horizon_px)
    stretch = (distance / middle) ** 0.5
    warp = (rows * stretch[None], np.broadcast_to(np.cumsum(stretch)[None], box.size))
    canvas.paint(
        box,
        mask.astype(bool),
        look,
        np.broadcast_to(distance[None], box.size),
        tone=tone,
        contrast=contrast,
        warp=(warp[0].astype(np.float32), warp[1].astype(np.float32)),
    )


def _add_windows(
    tone: FloatArray,
    contrast: FloatArray,
    view: View,
    box: Box,
    x_m: float,
    z_m: tuple[float, float],
    height_m: float,
    spacing: tuple[float, float],
) -> None:
    """Rows of panes in frames, lighter and darker than the house, and a cornice under the roof."""

    def pane(ends: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
        columns = view.column(x_m, ends)
        rows = np.concatenate((view.row(low, ends), view.row(high, ends)[::-1]))
        return np.stack((columns[[0, 1, 1, 0]], rows), 1) - (box.left, box.top)

    span = np.array(z_m)
    fill_tone(tone, pane(span, height_m - 0.35, height_m), 0.12)
    fill_tone(tone, pane(span, 0.0, 0.6), -0.08)
    wide, high = 0.52 * spacing[1], 0.56 * spacing[0]
    floors = np.arange(1.0, height_m - spacing[0] * 0.6, spacing[0])
    for number, z in enumerate(np.arange(z_m[0] + 0.5, z_m[1] - wide, spacing[1])):
        for floor, y in enumerate(floors):
            is_dark = (number * 7 + floor * 5) % 3 > 0
            outer = pane(np.array([z - 0.12, z + wide + 0.12]), y - 0.12, y + high + 0.12)
            fill_tone(tone, outer, 0.14)
            fill_tone(contrast, outer, 0.5)
            for start in (z, z + wide * 0.54):
                glass = pane(np.array([start, start + wide * 0.46]), y, y + high)
                fill_tone(tone, glass, -0.17 if is_dark else 0.02)


def paint_backdrop(
    canvas: Canvas, view: View, look: Surface, z_m: float, heights_m: FloatArray
) -> None:
    """Paints houses or trees that close the street at the far end, one height per 32 columns."""
    columns = np.linspace(-20, canvas.size[1] + 20, len(heights_m))
    top = view.horizon_px + view.focal_px * (view.height_m - heights_m) / z_m
    if look.label == "building":
        columns, top = np.repeat(columns, 2)[1:], np.repeat(top, 2)[:-1]
    bottom = float(view.row(0, z_m))
    outline = np.concatenate(
        (np.stack((columns, top), 1), [(columns[-1], bottom), (columns[0], bottom)])
    )
    box = canvas.clip(float(top.min()), 0, bottom, canvas.size[1] - 1)
    if box.is_empty:
        return
    mask = np.zeros(box.size, np.uint8)
    fill(mask, outline - (box.left, box.top))
    tone = np.zeros(box.size, np.float32)
    if look.label == "building":
        step_px = 1.6 * view.focal_px / z_m
        row = np.arange(box.top, box.bottom)[:, None] / step_px % 2 < 1
        column = np.arange(box.left, box.right)[None] / step_px % 2 < 1
        tone = np.where(row & column, np.float32(-0.12), np.float32(0.03))
    canvas.paint(box, mask.astype(bool), look, z_m, tone=tone)
