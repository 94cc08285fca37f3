"""Objects beside the road: trees, posts with lamps, lights and signs, and bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relief.samples.scenes.objects import Placed
from relief.samples.scenes.shapes import Shape, blob, ellipse, polygon, rectangle
from relief.samples.scenes.view import View


@dataclass
class Roadside:
    """Draws the furniture of one scene.

    Attributes:
        rng: Decides everything.
        view: The camera.
        half_road_m: Half the width of the road.
    """

    rng: np.random.Generator
    view: View
    half_road_m: float

    def draw(self) -> list[Placed]:
        """All of it, in any order."""
        return [*self._trees(), *self._posts(), *self._bins()]

    def beside(self, z_m: float, beyond_m: float) -> float:
        """A column beside the road, on either side."""
        x_m = self.rng.choice((-1, 1)) * (self.half_road_m + beyond_m)
        return float(self.view.column(x_m, z_m))

    def _trees(self) -> list[Placed]:
        rng, trees = self.rng, []
        for _ in range(int(rng.integers(1, 5))):
            z = float(rng.uniform(8, 38))
            height, wide = rng.uniform(4, 7.5), rng.uniform(1.2, 2.4)
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
            column = self.beside(z, rng.uniform(0.5, 5))
            trees.append(Placed("vegetation", [trunk, *crown], column, z))
        return trees

    def _posts(self) -> list[Placed]:
        posts = []
        for _ in range(int(self.rng.integers(4, 8))):
            x_m = self.rng.choice((-1, 1)) * (self.half_road_m + self.rng.uniform(0.2, 1.0))
            posts += self._post(float(x_m), float(self.rng.uniform(7, 26)))
        return posts

    def _post(self, x_m: float, z_m: float) -> list[Placed]:
        """A pole that carries a lamp, lights or signs, larger than in reality."""
        rng = self.rng
        column = float(self.view.column(x_m, z_m))
        height, thick = float(rng.uniform(3.4, 6.5)), float(rng.uniform(0.13, 0.22))
        pole = [rectangle(-thick, 0, thick, height)]
        kind = str(rng.choice(["lamp", "light", "light", "sign", "sign"]))
        if kind == "lamp":
            arm = float(-np.sign(x_m) * rng.uniform(1.0, 2.0))
            left, right = sorted((0.0, arm))
            pole.append(rectangle(left, height - 0.18, right, height))
            pole.append(ellipse(arm, height - 0.15, 0.4, 0.2, 0.1))
        placed = [Placed("pole", pole, column, z_m)]
        if kind == "light":
            high = float(rng.uniform(2.2, height - 0.9))
            placed.append(Placed("traffic light", self._light(), column, z_m - 0.1, high))
        elif kind == "sign":
            high = float(rng.uniform(2.0, height - 0.6))
            placed.append(Placed("traffic sign", self._sign(), column, z_m - 0.1, high))
            if rng.random() < 0.35:
                plate = [rectangle(-0.5, 0, 0.5, 0.55)]
                placed.append(Placed("traffic sign", plate, column, z_m - 0.1, high - 0.65))
        return placed

    def _light(self) -> Shape:
        lit = int(self.rng.integers(3))
        lamps = [ellipse(0, 0.3 + 0.5 * i, 0.2, 0.2, 0.2 if i == lit else -0.12) for i in range(3)]
        return [rectangle(-0.42, 0, 0.42, 1.6), *lamps]

    def _sign(self) -> Shape:
        r = float(self.rng.uniform(0.5, 0.75))
        faces = [
            [ellipse(0, r, r, r, -0.1), ellipse(0, r, r * 0.75, r * 0.75, 0.08)],
            [
                polygon([(-r, 0), (r, 0), (0, r * 1.8)], -0.1),
                polygon([(-r * 0.65, r * 0.2), (r * 0.65, r * 0.2), (0, r * 1.4)], 0.08),
            ],
            [
                rectangle(-r, 0, r, r * 1.6),
                rectangle(-r * 0.8, r * 0.3, r * 0.8, r * 0.7, 0.12),
            ],
            [polygon([(0, 0), (r, r), (0, 2 * r), (-r, r)])],
        ]
        return faces[int(self.rng.integers(len(faces)))]

    def _bins(self) -> list[Placed]:
        bins = []
        for _ in range(int(self.rng.integers(0, 3))):
            z = float(self.rng.uniform(7, 20))
            body = [
                polygon([(-0.3, 0), (0.3, 0), (0.36, 0.9), (-0.36, 0.9)]),
                rectangle(-0.4, 0.88, 0.4, 1.02, -0.12),
            ]
            bins.append(Placed("static", body, self.beside(z, 1.0), z))
        return bins
