"""Population of the street: traffic and people, and how they overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relief.samples.scenes import cars, long_vehicles, people, two_wheelers
from relief.samples.scenes.objects import Placed
from relief.samples.scenes.roadside import Roadside
from relief.samples.scenes.shapes import Shape, mirrored, moved
from relief.samples.scenes.view import View

Silhouette = Callable[[np.random.Generator], Shape]

# Objects of a class stand 3.3 m or more apart in depth to be told apart: a step of s in a depth map
# of [0, 1] (40 m) has, smoothed with sigma 1, a Sobel gradient of 2.5 s, so tau = 0.20 sees 3.2 m.
_STEP_M = (3.4, 5.2)


@dataclass
class Population:
    """Draws the objects of one scene.

    Attributes:
        rng: Decides everything.
        view: The camera.
        half_road_m: Half the width of the road.
        edge_m: Where the facades stand, left and right of the street's middle (negative left).
        width_px: Of the picture.
    """

    rng: np.random.Generator
    view: View
    half_road_m: float
    edge_m: tuple[float, float]
    width_px: int

    def draw(self) -> list[Placed]:
        """All objects, in any order."""
        roadside = Roadside(self.rng, self.view, self.half_road_m)
        return [
            *roadside.draw(),
            *self._parked_cars(),
            *self._traffic(),
            *self._pedestrians(),
            *self._crowd(),
            *self._two_wheelers(),
            *self._riders(),
        ]

    def _limits(self, z_m: float, half_m: float = 0.5) -> tuple[float, float]:
        """Columns between which something of that half width stands before the facades."""
        left, right = (
            float(self.view.column(edge - np.sign(edge) * half_m, z_m)) for edge in self.edge_m
        )
        low, high = max(left, 0.03 * self.width_px), min(right, 0.97 * self.width_px)
        return (low, high) if low < high else ((left + right) / 2, (left + right) / 2)

    def _column(self, z_m: float, half_m: float = 0.5) -> float:
        return float(self.rng.uniform(*self._limits(z_m, half_m)))

    def _maybe_mirrored(self, shape: Shape) -> Shape:
        return mirrored(shape) if self.rng.random() < 0.5 else shape

    def _chain(
        self,
        label: str,
        makers: list[Silhouette],
        column: float,
        z_m: float,
        count: int,
        overlap_m: float,
        step_m: tuple[float, float] = _STEP_M,
    ) -> list[Placed]:
        """Objects of one class that overlap in the picture, each behind the one before."""
        rng, chain = self.rng, []
        sign = int(rng.choice((-1, 1)))
        for _ in range(count):
            shape = makers[int(rng.integers(len(makers)))](rng)
            chain.append(Placed(label, self._maybe_mirrored(shape), column, z_m))
            column += sign * overlap_m * float(rng.uniform(0.7, 1.1)) * self.view.focal_px / z_m
            z_m += float(rng.uniform(*step_m))
            column = float(np.clip(column, *self._limits(z_m)))
        return chain

    def _parked_cars(self) -> list[Placed]:
        rng, parked = self.rng, []
        for sign in (-1, 1):
            if rng.random() < 0.75:
                z = float(rng.uniform(7, 14))
                while z < 40:
                    car = cars.car_quarter(rng)
                    column = float(self.view.column(sign * (self.half_road_m - 1.0), z))
                    parked.append(Placed("car", car if sign < 0 else mirrored(car), column, z))
                    z += float(rng.uniform(4.2, 7.5))
        return parked

    def _traffic(self) -> list[Placed]:
        rng, traffic = self.rng, []
        for _ in range(int(rng.integers(0, 3))):
            z = float(rng.uniform(9, 35))
            x_m = rng.uniform(1.5 - self.half_road_m, self.half_road_m - 1.5)
            traffic.append(Placed("car", cars.car_end(rng), float(self.view.column(x_m, z)), z))
        if rng.random() < 0.5:
            z = float(rng.uniform(12, 20))
            count = int(rng.integers(2, 4))
            traffic += self._chain(
                "car", [cars.car_side], self._column(z, 2.5), z, count, 2.6, (3.5, 6.0)
            )
        big: list[tuple[str, list[Silhouette], float]] = [
            ("truck", [cars.truck_side, cars.truck_end], 2.2),
            ("bus", [long_vehicles.bus_side, long_vehicles.bus_end], 2.5),
            ("train", [long_vehicles.train_side, long_vehicles.train_end], 3.0),
        ]
        for label, makers, overlap in big:
            if rng.random() < 0.55:
                count, z = 2 if rng.random() < 0.4 else 1, float(rng.uniform(13, 28))
                traffic += self._chain(
                    label, makers, self._column(z, 4.0), z, count, overlap, (4, 8)
                )
        return traffic

    def _pedestrians(self) -> list[Placed]:
        rng, walkers = self.rng, []
        for _ in range(int(rng.integers(1, 4))):
            z, count = float(rng.uniform(6.5, 16)), int(rng.integers(2, 5))
            walkers += self._chain("person", [people.person], self._column(z), z, count, 0.42)
        if rng.random() < 0.5:  # arm in arm: depth cannot part them
            z = float(rng.uniform(8, 20))
            walkers += self._chain(
                "person", [people.person], self._column(z), z, 2, 0.5, (0.1, 0.4)
            )
        for _ in range(int(rng.integers(0, 3))):
            z = float(rng.uniform(7, 25))
            walkers.append(Placed("person", people.person(rng), self._column(z), z))
        return walkers

    def _crowd(self) -> list[Placed]:
        """People or bicycles far away that nobody told apart: a group region."""
        rng = self.rng
        if rng.random() < 0.4:
            return []
        label, maker = (("person", people.person), ("bicycle", two_wheelers.bicycle_side))[
            int(rng.random() < 0.35)
        ]
        crowd = [part for at in np.linspace(-2, 2, 8) for part in moved(maker(rng), float(at), 0.0)]
        z = float(rng.uniform(20, 32))
        return [
            Placed(
                label,
                crowd,
                Roadside(rng, self.view, self.half_road_m).beside(z, rng.uniform(-2, 4)),
                z,
                is_group=True,
            )
        ]

    def _two_wheelers(self) -> list[Placed]:
        rng, rows = self.rng, []
        for label, maker, chance in (
            ("bicycle", two_wheelers.bicycle_side, 0.6),
            ("motorcycle", two_wheelers.motorcycle_side, 0.65),
        ):
            if rng.random() < chance:
                z, count = float(rng.uniform(6, 11)), int(rng.integers(2, 5))
                rows += self._chain(label, [maker], self._column(z), z, count, 0.9)
        return rows

    def _riders(self) -> list[Placed]:
        rng, riders = self.rng, []
        for _ in range(int(rng.integers(1, 4))):
            z = float(rng.uniform(6.5, 17))
            column = self._column(z, 1.0)
            label, maker = (
                ("bicycle", two_wheelers.bicycle_side),
                ("motorcycle", two_wheelers.motorcycle_side),
            )[int(rng.random() < 0.5)]
            machine, rider = maker(rng), people.rider_side(rng)
            if rng.random() < 0.5:
                machine, rider = mirrored(machine), mirrored(rider)
            riders.append(Placed(label, machine, column, z))
            riders.append(Placed("rider", rider, column, z - 0.05, has_shadow=False))
        return riders
