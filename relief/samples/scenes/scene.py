"""One scene: sky, ground and facades, then the objects far to near, then void and light."""

from __future__ import annotations

import cv2
import numpy as np

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.objects import place
from relief.samples.scenes.palette import surface
from relief.samples.scenes.population import Population
from relief.samples.scenes.shapes import fill
from relief.samples.scenes.street import (
    cast_shadow,
    paint_backdrop,
    paint_facade,
    paint_ground,
    paint_sky,
)
from relief.samples.scenes.view import random_view

_OUT_OF_ROI = 3


class SceneBuilder:
    """Draws one street scene from a random generator on an empty canvas."""

    def __init__(self, rng: np.random.Generator, canvas: Canvas) -> None:
        self.rng = rng
        self.canvas = canvas
        self.view = random_view(rng, canvas.size)
        self.half_road_m = float(rng.uniform(3.2, 6.0))
        self.verge_m = np.where(rng.random(2) < 0.45, rng.uniform(1.0, 2.4, 2), 0.0)
        self.sidewalk_m = rng.uniform(1.6, 3.6, 2)
        self.lawn_m = np.where(rng.random(2) < 0.4, rng.uniform(1.5, 4.0, 2), 0.0)

    def draw(self) -> Canvas:
        """The finished scene."""
        paint_sky(self.canvas, self.rng)
        self._backdrop()
        self._ground()
        for side in (0, 1):
            self._side(side)
        edges = (-self._edge_m(0), self._edge_m(1))
        width_px = self.canvas.size[1]
        population = Population(self.rng, self.view, self.half_road_m, edges, width_px)
        for placed in sorted(population.draw(), key=lambda item: -item.z_m):
            place(self.canvas, self.view, placed, self.rng)
        self._void()
        self._light()
        return self.canvas

    def _edge_m(self, side: int) -> float:
        """Where the facades of a side stand, metres from the street's middle."""
        return self.half_road_m + float(
            self.verge_m[side] + self.sidewalk_m[side] + self.lawn_m[side]
        )

    def _backdrop(self) -> None:
        rng = self.rng
        if rng.random() < 0.7:
            heights = rng.uniform(6, 20, int(rng.integers(8, 20))).astype(np.float32)
            look = surface(rng, "building", 40.0, 0.05)
            paint_backdrop(self.canvas, self.view, look, float(rng.uniform(50, 80)), heights)
        if rng.random() < 0.6:
            heights = rng.uniform(3, 9, 60).astype(np.float32)
            heights = cv2.GaussianBlur(heights[None], (0, 0), 1.5)[0]
            look = surface(rng, "vegetation", 40.0)
            paint_backdrop(self.canvas, self.view, look, float(rng.uniform(45, 60)), heights)

    def _ground(self) -> None:
        rng, half = self.rng, self.half_road_m
        for left, right in ((-200.0, 0.0), (0.0, 200.0)):
            label = str(rng.choice(["terrain", "terrain", "sidewalk"]))
            paint_ground(self.canvas, self.view, surface(rng, label), left, right)
        for side, sign in enumerate((-1, 1)):
            kerb = half + float(self.verge_m[side])
            path = kerb + float(self.sidewalk_m[side])
            if self.lawn_m[side]:
                self._strip("terrain", sign, path, self._edge_m(side))
            self._strip("sidewalk", sign, kerb - 0.1, path)
            if self.verge_m[side]:
                self._strip("terrain", sign, half - 0.1, kerb)
        stripes = ((0.0,), (-half / 2, half / 2), ())[int(rng.integers(3))]
        paint_ground(self.canvas, self.view, surface(rng, "road"), -half, half, stripes=stripes)
        if rng.random() < 0.35:
            near = float(rng.uniform(14, 30))
            look = surface(rng, "road")
            far = near + float(rng.uniform(6, 12))
            paint_ground(self.canvas, self.view, look, -150, 150, near, far)
        extra = rng.random()
        if extra < 0.25:
            self._strip("parking", int(rng.choice((-1, 1))), half - 2.2, half)
        elif extra < 0.45:
            self._strip("rail track", int(rng.choice((-1, 1))), 0.3, 2.4)

        if rng.random() < 0.5:
            sign = int(rng.choice((-1, 1)))
            left, right = sorted((sign * 40.0, sign * float(rng.uniform(-0.4, 0.9)) * half))
            cast_shadow(self.canvas, self.view, left, right, float(rng.uniform(0.62, 0.8)))

    def _strip(self, label: str, sign: int, near_m: float, far_m: float) -> None:
        left, right = sorted((sign * near_m, sign * far_m))
        paint_ground(self.canvas, self.view, surface(self.rng, label), left, right)

    def _side(self, side: int) -> None:
        """Houses, walls, fences and hedges of one side, far to near."""
        rng = self.rng
        x_m = (-1, 1)[side] * self._edge_m(side)
        setback = float(rng.uniform(2.0, 6.0)) if rng.random() < 0.5 else 0.0
        share_of_houses = 0.25 if rng.random() < 0.2 else 0.75
        z = 70.0
        while z > 3.0:
            start = max(2.2, z - float(rng.uniform(6, 16)))
            behind = x_m + np.sign(x_m) * setback
            if rng.random() < share_of_houses:
                self._house(behind, (start, z))
            elif rng.random() < 0.6:
                height = float(rng.uniform(3, 8))
                self._barrier("vegetation", behind + 2 * np.sign(x_m), (start, z), height)
            if setback > 0 or rng.random() < 0.3:
                label = str(rng.choice(["wall", "fence", "fence", "wall", "vegetation"]))
                self._barrier(label, x_m, (start, z), float(rng.uniform(1.2, 2.6)))
            z = start

    def _house(self, x_m: float, z_m: tuple[float, float]) -> None:
        rng = self.rng
        windows = (float(rng.uniform(2.7, 3.3)), float(rng.uniform(1.8, 3.2)))
        height = int(rng.integers(2, 6)) * windows[0] + 0.8
        look = surface(rng, "building", float(np.sqrt(z_m[0] * z_m[1])), 0.1)
        paint_facade(self.canvas, self.view, look, x_m, z_m, height, windows=windows)

    def _barrier(self, label: str, x_m: float, z_m: tuple[float, float], height_m: float) -> None:
        look = surface(self.rng, label, float(np.sqrt(z_m[0] * z_m[1])), 0.2)
        ragged = self.rng if label == "vegetation" else None
        paint_facade(self.canvas, self.view, look, x_m, z_m, height_m, ragged=ragged)

    def _void(self) -> None:
        """The bonnet of the car that carries the camera, and the border outside of the picture."""
        rng, canvas = self.rng, self.canvas
        height, width = canvas.size
        if rng.random() < 0.6:
            box = canvas.clip(height * 0.9, 0, height - 1, width - 1)
            angle = np.linspace(0, np.pi, 40)
            reach = width * rng.uniform(0.45, 0.6), rng.uniform(18, 40)
            outline = np.stack(
                (
                    width / 2 + reach[0] * np.cos(angle),
                    box.size[0] - reach[1] * np.sin(angle),
                ),
                1,
            )
            mask = np.zeros(box.size, np.uint8)
            fill(mask, outline)
            canvas.paint(box, mask.astype(bool), surface(rng, "ego vehicle"), 2.0)
        border = int(rng.integers(2, 5))
        frame = np.zeros(canvas.size, bool)
        frame[:, :border] = frame[:, -border:] = frame[-border:] = True
        canvas.label_ids[frame] = canvas.instance_ids[frame] = _OUT_OF_ROI

    def _light(self) -> None:
        """Uneven light over the scene, the softness of a lens and the grain of a sensor."""
        rng, canvas = self.rng, self.canvas
        coarse = rng.uniform(0.86, 1.1, (4, 6)).astype(np.float32)
        light = cv2.resize(coarse, canvas.size[::-1], interpolation=cv2.INTER_CUBIC)
        image = cv2.GaussianBlur(canvas.image * light[..., None], (0, 0), rng.uniform(0.5, 1.0))
        grain = rng.standard_normal(canvas.size, np.float32) * np.float32(rng.uniform(0.01, 0.025))
        canvas.image = image + grain[..., None]


def draw_scene(rng: np.random.Generator, size: tuple[int, int] = (512, 1024)) -> Canvas:
    """Draws one scene.

    Args:
        rng: Decides everything in it.
        size: (height, width) in pixels.

    Returns:
        The painted canvas.
    """
    return SceneBuilder(rng, Canvas(size)).draw()
