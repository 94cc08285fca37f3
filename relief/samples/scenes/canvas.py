"""The canvas of a scene: colour, ground truth and distance, far to near."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from relief.samples.scenes.fields import FloatArray
from relief.samples.scenes.textures import dirt_window, texture_field
from relief.schema.label_spaces import CITYSCAPES_LABELS, INSTANCE_DIVISOR

BoolArray = NDArray[np.bool_]

TEXTURE_STD = 0.15
MAX_DISTANCE_M = 40.0
_LABELS = {label.name: label for label in CITYSCAPES_LABELS}


@dataclass
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rectangle as an index of an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.bottom <= self.top or self.right <= self.left


@dataclass
class Surface:
    """How a region looks: one colour for the object, the texture of its class, its own phase.

    Attributes:
        label: A name of the Cityscapes table.
        colour: RGB in [0, 1].
        phase: Where the window of the texture starts, in pixels (row, column).
        zoom: Scale of the texture, around 1.
        angle_rad: How far the texture is turned.
        wobble_px: How far its lines sway.
        wobble_phase: Where they sway.
        dirt: Share of a noise that all classes have, 0 to 1.
        gain: Contrast of the texture, around 1.
        shade: Brightness gained from the bottom to the top, and from left to right.
    """

    label: str
    colour: FloatArray
    phase: tuple[float, float]
    zoom: float = 1.0
    angle_rad: float = 0.0
    wobble_px: float = 0.0
    wobble_phase: float = 0.0
    dirt: float = 0.0
    gain: float = 1.0
    shade: tuple[float, float] = (0.0, 0.0)


@dataclass
class Canvas:
    """The arrays of one scene, all (height, width).

    Attributes:
        size: (height, width) in pixels.
        texture_zoom: Scale of all textures, on top of that of each surface.
    """

    size: tuple[int, int]
    texture_zoom: float = 1.0
    image: FloatArray = field(init=False)
    label_ids: NDArray[np.uint8] = field(init=False)
    instance_ids: NDArray[np.uint16] = field(init=False)
    distance_m: FloatArray = field(init=False)
    _counts: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.image = np.zeros((*self.size, 3), np.float32)
        self.label_ids = np.zeros(self.size, np.uint8)
        self.instance_ids = np.zeros(self.size, np.uint16)
        self.distance_m = np.full(self.size, 1e3, np.float32)

    def clip(self, top: float, left: float, bottom: float, right: float) -> Box:
        """The pixels of a rectangle that lie on the canvas."""
        return Box(
            max(0, int(np.floor(top))),
            max(0, int(np.floor(left))),
            min(self.size[0], int(np.ceil(bottom)) + 1),
            min(self.size[1], int(np.ceil(right)) + 1),
        )

    def paint(
        self,
        box: Box,
        mask: BoolArray,
        surface: Surface,
        distance_m: FloatArray | float,
        *,
        tone: FloatArray | float = 0.0,
        contrast: FloatArray | float = 1.0,
        warp: tuple[FloatArray, FloatArray] | None = None,
        is_group: bool = False,
    ) -> None:
        """Paints a region over what is there.

        Args:
            box: Where on the canvas.
            mask: (h, w) of the box.
            surface: How it looks.
            distance_m: A number or (h, w).
            tone: Brightness added to the colour, a number or (h, w).
            contrast: Factor on the contrast of the texture, a number or (h, w).
            warp: Texture coordinates (row, column), each (h, w); those of the box by default.
            is_group: A region of things that are not told apart.
        """
        if not mask.any():
            return
        label = _LABELS[surface.label]
        texture = _window(surface, box, warp, self.texture_zoom)
        up, across = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in box.size)
        shade = surface.shade[1] * across - surface.shade[0] * up[:, None]
        light = TEXTURE_STD * surface.gain * contrast * texture + tone + shade
        rows, columns = box.slices
        for channel in range(3):
            target = self.image[rows, columns, channel]
            np.copyto(target, light + surface.colour[channel], where=mask)
        np.copyto(self.distance_m[rows, columns], np.float32(distance_m), where=mask)
        self.label_ids[rows, columns][mask] = label.label_id
        self.instance_ids[rows, columns][mask] = self._instance_id(surface.label, is_group)

    def _instance_id(self, name: str, is_group: bool) -> int:
        label = _LABELS[name]
        if not label.is_thing or is_group:
            return label.label_id
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        return label.label_id * INSTANCE_DIVISOR + number

    def darken(self, box: Box, factor: FloatArray) -> None:
        """Casts a shadow: multiplies the colours in a box by (h, w) factors."""
        rows, columns = box.slices
        self.image[rows, columns] *= factor[..., None]

    @property
    def depth(self) -> FloatArray:
        """(height, width) in [0, 1], distances beyond 40 m are 1."""
        return np.clip(self.distance_m, 0, MAX_DISTANCE_M) / np.float32(MAX_DISTANCE_M)


def _window(
    surface: Surface, box: Box, warp: tuple[FloatArray, FloatArray] | None, zoom: float
) -> FloatArray:
    """The texture of the surface over a box, (h, w)."""
    height, width = box.size
    if warp is None:
        rows = np.arange(height, dtype=np.float32)[:, None]
        columns = np.arange(width, dtype=np.float32)[None]
        warp = (np.broadcast_to(rows, box.size), np.broadcast_to(columns, box.size))
    scale = 1 / (surface.zoom * zoom)
    cosine = np.float32(scale * np.cos(surface.angle_rad))
    sine = np.float32(scale * np.sin(surface.angle_rad))
    row = cosine * warp[0] + sine * warp[1]
    column = cosine * warp[1] - sine * warp[0]
    sway, at = np.float32(surface.wobble_px), surface.wobble_phase
    down, across = (np.arange(side, dtype=np.float32) for side in box.size)
    row += (sway * np.sin((across + at) / 11) + surface.phase[0]).astype(np.float32)
    column += (sway * np.sin((down - at) / 9) + surface.phase[1]).astype(np.float32)[:, None]
    field = texture_field(surface.label)
    texture = cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    if surface.dirt:
        # Weights whose squares sum to 1 leave the standard deviation as it is.
        texture *= np.float32(np.sqrt(1 - surface.dirt**2))
        texture += np.float32(surface.dirt) * dirt_window(surface.phase, box.size)
    return texture
