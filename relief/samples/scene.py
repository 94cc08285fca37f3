"""One scene: what stands where, painted far to near."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from relief.samples import people, vehicles
from relief.samples.canvas import Canvas
from relief.samples.objects import Placed, place
from relief.samples.palette import surface
from relief.samples.shapes import Shape, blob, ellipse, mirrored, polygon, rectangle
from relief.samples.street import (
    View,
    paint_backdrop,
    paint_facade,
    paint_ground,
    paint_sky,
    random_view,
)

Silhouette = Callable[[np.random.Generator], Shape]


class SceneBuilder:
    """Draws one street scene from a random generator."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.canvas = Canvas(size)
        self.view: View = random_view(rng, size)
        self.half_road_m = float(rng.uniform(3.2, 6.5))
        self.sidewalk_m = rng.uniform(1.6, 4.0, 2)
        self.placed: list[Placed] = []

    def draw(self) -> Canvas:
        """The finished scene."""
        paint_sky(self.canvas, self.rng)
        self._backdrop()
        self._ground()
        self._sides()
        self._furniture()
        self._traffic()
        self._people()
        for placed in sorted(self.placed, key=lambda item: -item.z_m):
            place(self.canvas, self.view, placed, self.rng)
        self._void()
        self._finish()
        return self.canvas

    def _backdrop(self) -> None:
        rng = self.rng
        for label, chance in (("building", 0.7), ("vegetation", 0.6)):
            if rng.random() < chance:
                low, high = (6, 22) if label == "building" else (3, 9)
                count = int(rng.integers(8, 20)) if label == "building" else 60
                heights = rng.uniform(low, high, count).astype(np.float32)
                if label == "vegetation":
                    heights = cv2.GaussianBlur(heights[None], (0, 0), 1.5)[0]
                paint_backdrop(
                    self.canvas, self.view, surface(rng, label), rng.uniform(50, 80), heights
                )

    def _ground(self) -> None:
        rng, half = self.rng, self.half_road_m
        for label, left, right in (
            (rng.choice(["terrain", "sidewalk", "terrain"]), -200.0, 0.0),
            (rng.choice(["terrain", "sidewalk", "terrain"]), 0.0, 200.0),
        ):
            paint_ground(self.canvas, self.view, surface(rng, str(label)), left, right)
        strip = rng.random(2) < 0.4
        for side, sign in enumerate((-1, 1)):
            edge = half + self.sidewalk_m[side]
            if strip[side]:
                self._strip("terrain", sign, edge, edge + rng.uniform(1, 3))
            self._strip("sidewalk", sign, half - 0.1, edge)
        stripes = {0: (0.0,), 1: (-half / 2, half / 2), 2: ()}[int(rng.integers(3))]
        paint_ground(self.canvas, self.view, surface(rng, "road"), -half, half, stripes=stripes)
        if rng.random() < 0.35:
            near = rng.uniform(14, 30)
            look = surface(rng, "road")
            paint_ground(self.canvas, self.view, look, -150, 150, near, near + rng.uniform(6, 12))
        if rng.random() < 0.3:
            sign = rng.choice((-1, 1))
            self._strip("parking", int(sign), half - 2.2, half)

    def _strip(self, label: str, sign: int, near_m: float, far_m: float) -> None:
        left, right = sorted((sign * near_m, sign * far_m))
        paint_ground(self.canvas, self.view, surface(self.rng, label), left, right)

    def _sides(self) -> None:
        for side, sign in enumerate((-1, 1)):
            edge = self.half_road_m + float(self.sidewalk_m[side])
            setback = float(self.rng.uniform(2.0, 6.0)) if self.rng.random() < 0.5 else 0.0
            z = 70.0
            while z > 3.0:
                length = float(self.rng.uniform(6, 16))
                start = max(2.2, z - length)
                self._segment(sign, edge, setback, (start, z))
                z = start

    def _segment(self, sign: int, edge: float, setback: float, z_m: tuple[float, float]) -> None:
        rng = self.rng
        if rng.random() < 0.72:
            storeys = int(rng.integers(2, 6))
            windows = (float(rng.uniform(2.7, 3.3)), float(rng.uniform(1.8, 3.2)))
            paint_facade(
                self.canvas,
                self.view,
                surface(rng, "building"),
                sign * (edge + setback),
                z_m,
                storeys * windows[0] + 0.8,
                windows=windows,
            )
        elif rng.random() < 0.6:
            paint_facade(
                self.canvas,
                self.view,
                surface(rng, "vegetation"),
                sign * (edge + setback + 2),
                z_m,
                float(rng.uniform(3, 8)),
                ragged=rng,
            )
        if setback > 0 or rng.random() < 0.3:
            label = str(rng.choice(["wall", "fence", "fence", "wall", "vegetation"]))
            height = float(rng.uniform(1.2, 2.6))
            paint_facade(
                self.canvas,
                self.view,
                surface(rng, label),
                sign * edge,
                z_m,
                height,
                ragged=rng if label == "vegetation" else None,
            )

    def _add(self, label: str, shape: Shape, column_px: float, z_m: float, **more: object) -> None:
        self.placed.append(Placed(label, shape, float(column_px), float(z_m), **more))  # type: ignore[arg-type]

    def _furniture(self) -> None:
        rng, view = self.rng, self.view
        for _ in range(int(rng.integers(1, 5))):
            sign = rng.choice((-1, 1))
            z = rng.uniform(8, 38)
            column = view.column(sign * (self.half_road_m + rng.uniform(0.5, 5)), z)
            height = rng.uniform(4, 7.5)
            wide = rng.uniform(1.2, 2.4)
            trunk = polygon(
                [(-0.2, 0), (0.2, 0), (0.13, height * 0.6), (-0.13, height * 0.6)], -0.08
            )
            crown = [
                blob(
                    rng,
                    rng.uniform(-0.6, 0.6),
                    height * 0.75 + rng.uniform(-0.6, 0.6),
                    wide * 0.8,
                    wide * 0.75,
                    rng.uniform(-0.06, 0.06),
                )
                for _ in range(4)
            ]
            self._add("vegetation", [trunk, *crown], column, z)
        for _ in range(int(rng.integers(4, 8))):
            self._post(
                rng.choice((-1, 1)) * (self.half_road_m + rng.uniform(0.2, 1.0)), rng.uniform(7, 26)
            )

    def _post(self, x_m: float, z_m: float) -> None:
        """A pole that carries a lamp, lights or signs, larger than in reality."""
        rng = self.rng
        column = self.view.column(x_m, z_m)
        height = rng.uniform(3.4, 6.5)
        thick = rng.uniform(0.13, 0.22)
        pole = [rectangle(-thick, 0, thick, height)]
        kind = rng.choice(["lamp", "light", "light", "sign", "sign"])
        if kind == "lamp":
            arm = -np.sign(x_m) * rng.uniform(1.0, 2.0)
            left, right = sorted((0.0, arm))
            pole.append(rectangle(left, height - 0.18, right, height))
            pole.append(ellipse(arm, height - 0.15, 0.4, 0.2, 0.1))
        self._add("pole", pole, column, z_m)
        if kind == "light":
            high = rng.uniform(2.2, height - 0.9)
            box = [rectangle(-0.42, 0, 0.42, 1.6)]
            lit = int(rng.integers(3))
            box += [
                ellipse(0, 0.3 + 0.5 * i, 0.2, 0.2, 0.2 if i == lit else -0.1) for i in range(3)
            ]
            self._add("traffic light", box, column, z_m - 0.1, lift_m=float(high))
        elif kind == "sign":
            high, radius = rng.uniform(2.0, height - 0.6), rng.uniform(0.5, 0.75)
            face = [
                [
                    ellipse(0, radius, radius, radius, -0.08),
                    ellipse(0, radius, radius * 0.75, radius * 0.75, 0.08),
                ],
                [polygon([(-radius, 0), (radius, 0), (0, radius * 1.8)])],
                [
                    rectangle(-radius, 0, radius, radius * 1.6),
                    rectangle(-radius * 0.8, radius * 0.3, radius * 0.8, radius * 0.7, 0.1),
                ],
                [polygon([(0, 0), (radius, radius), (0, 2 * radius), (-radius, radius)])],
            ][int(rng.integers(4))]
            self._add("traffic sign", face, column, z_m - 0.1, lift_m=float(high))
            if rng.random() < 0.35:
                lower = [rectangle(-0.5, 0, 0.5, 0.55)]
                self._add("traffic sign", lower, column, z_m - 0.1, lift_m=float(high - 0.65))

    def _chain(
        self,
        label: str,
        makers: list[Silhouette],
        count: int,
        column: float,
        z_m: float,
        overlap_m: float,
        step_m: tuple[float, float],
        **more: object,
    ) -> None:
        """Objects of one class that overlap in the picture, each behind the one before."""
        rng = self.rng
        sign = rng.choice((-1, 1))
        for _ in range(count):
            shape = makers[int(rng.integers(len(makers)))](rng)
            self._add(label, mirrored(shape) if rng.random() < 0.5 else shape, column, z_m, **more)
            column = column + sign * overlap_m * rng.uniform(0.7, 1.1) * self.view.focal_px / z_m
            z_m = z_m + rng.uniform(*step_m)

    def _traffic(self) -> None:
        rng, view, half = self.rng, self.view, self.half_road_m
        for sign in (-1, 1):
            if rng.random() < 0.75:
                z = rng.uniform(7, 14)
                quarter = lambda r, s=sign: (
                    vehicles.car_quarter(r) if s < 0 else mirrored(vehicles.car_quarter(r))
                )
                while z < 40:
                    self._add("car", quarter(rng), view.column(sign * (half - 1.0), z), z)
                    z += rng.uniform(4.2, 7.5)
        for _ in range(int(rng.integers(0, 3))):
            self._add(
                "car",
                vehicles.car_end(rng),
                view.column(rng.uniform(-half + 1.5, half - 1.5), z := rng.uniform(9, 35)),
                z,
            )
        if rng.random() < 0.5:
            self._chain(
                "car",
                [vehicles.car_side],
                int(rng.integers(2, 4)),
                rng.uniform(100, 924),
                rng.uniform(12, 20),
                2.6,
                (3.5, 6.0),
            )
        big: list[tuple[str, list[Silhouette], float]] = [
            ("truck", [vehicles.truck_side, vehicles.truck_end], 2.2),
            ("bus", [vehicles.bus_side, vehicles.bus_end], 2.5),
            ("train", [vehicles.train_side, vehicles.train_end], 3.0),
        ]
        for label, makers, overlap in big:
            if rng.random() < 0.55:
                count = 2 if rng.random() < 0.4 else 1
                self._chain(
                    label, makers, count, rng.uniform(60, 964), rng.uniform(13, 28), overlap, (4, 8)
                )

    def _people(self) -> None:
        rng, view = self.rng, self.view
        for _ in range(int(rng.integers(1, 4))):
            self._chain(
                "person",
                [people.person],
                int(rng.integers(2, 5)),
                rng.uniform(40, 984),
                rng.uniform(6.5, 16),
                0.42,
                (3.2, 5.0),
            )
        if rng.random() < 0.5:
            z = rng.uniform(8, 20)
            self._chain("person", [people.person], 2, rng.uniform(60, 964), z, 0.5, (0.1, 0.4))
        for _ in range(int(rng.integers(0, 3))):
            self._add("person", people.person(rng), rng.uniform(20, 1000), rng.uniform(7, 25))
        for label, maker, chance in (
            ("bicycle", vehicles.bicycle_side, 0.6),
            ("motorcycle", vehicles.motorcycle_side, 0.65),
        ):
            if rng.random() < chance:
                self._chain(
                    label,
                    [maker],
                    int(rng.integers(2, 5)),
                    rng.uniform(60, 964),
                    rng.uniform(6, 11),
                    0.9,
                    (3.3, 4.5),
                )
        for _ in range(int(rng.integers(1, 4))):
            self._ride(rng.uniform(60, 964), rng.uniform(6.5, 17))
        if rng.random() < 0.5:
            crowd: Shape = []
            for at in np.linspace(-2, 2, 8):
                crowd += [type(p)(p.points + (at, 0), p.tone) for p in people.person(rng)]
            self._add(
                "person",
                crowd,
                view.column(rng.uniform(-8, 8), 30.0),
                rng.uniform(26, 34),
                is_group=True,
            )

    def _ride(self, column: float, z_m: float) -> None:
        rng = self.rng
        label, maker = (
            ("bicycle", vehicles.bicycle_side),
            ("motorcycle", vehicles.motorcycle_side),
        )[int(rng.random() < 0.5)]
        machine, rider = maker(rng), people.rider_side(rng)
        if rng.random() < 0.5:
            machine, rider = mirrored(machine), mirrored(rider)
        self._add(label, machine, column, z_m)
        self._add("rider", rider, column, z_m - 0.05, has_shadow=False)

    def _void(self) -> None:
        rng, canvas = self.rng, self.canvas
        height, width = canvas.size
        for _ in range(int(rng.integers(0, 3))):
            z = rng.uniform(7, 20)
            bin_shape = [polygon([(-0.3, 0), (0.3, 0), (0.36, 1.0), (-0.36, 1.0)])]
            placed = Placed(
                "static",
                bin_shape,
                float(self.view.column(rng.choice((-1, 1)) * (self.half_road_m + 1), z)),
                float(z),
            )
            place(canvas, self.view, placed, rng)
        if rng.random() < 0.6:
            box = canvas.clip(height * 0.9, 0, height - 1, width - 1)
            mask = np.zeros(box.size, np.uint8)
            cv2.ellipse(
                mask,
                (width // 2, box.size[0] + 20),
                (int(width * rng.uniform(0.45, 0.6)), 20 + int(rng.uniform(18, 40))),
                0,
                0,
                360,
                1,
                -1,
            )
            canvas.paint(box, mask.astype(bool), surface(rng, "ego vehicle"), 2.0)
        border = int(rng.integers(2, 5))
        frame = np.zeros(canvas.size, bool)
        frame[:, :border] = frame[:, -border:] = frame[-border:] = True
        canvas.label_ids[frame] = canvas.instance_ids[frame] = 3

    def _finish(self) -> None:
        """Uneven light over the scene and the softness of a lens."""
        rng, canvas = self.rng, self.canvas
        coarse = rng.uniform(0.86, 1.1, (4, 6)).astype(np.float32)
        light = cv2.resize(coarse, canvas.size[::-1], interpolation=cv2.INTER_CUBIC)
        image = cv2.GaussianBlur(canvas.image * light[..., None], (0, 0), 0.6)
        canvas.image = image


def draw_scene(rng: np.random.Generator, size: tuple[int, int] = (512, 1024)) -> Canvas:
    """Draws one scene.

    Args:
        rng: Decides everything in it.
        size: (height, width) in pixels.

    Returns:
        The painted canvas.
    """
    return SceneBuilder(rng, size).draw()
