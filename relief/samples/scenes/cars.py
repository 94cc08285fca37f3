"""Silhouettes of cars and trucks, in metres."""

from __future__ import annotations

import numpy as np

from relief.samples.scenes.shapes import (
    Shape,
    ellipse,
    faint,
    limb,
    moved,
    polygon,
    rectangle,
    wheel,
)


def car_side(rng: np.random.Generator) -> Shape:
    """A car seen from the side, its front to the right."""
    length, height = rng.uniform(3.9, 4.8), rng.uniform(1.4, 1.8)
    a, sill, belt = length / 2, 0.28, height * rng.uniform(0.55, 0.62)
    back, front = -a + rng.uniform(0.1, 0.9), a * rng.uniform(0.3, 0.5)
    roof0, roof1 = back + rng.uniform(0.2, 0.5), front - rng.uniform(0.6, 0.9)
    body = polygon(
        [
            (-a, sill),
            (a, sill),
            (a, belt * 0.8),
            (a * 0.9, belt * 0.92),
            (front, belt),
            (roof1, height),
            (roof0, height),
            (back, belt),
            (-a, belt * 0.95),
        ]
    )
    glass = polygon(
        [
            (front - 0.25, belt),
            (roof1 - 0.1, height - 0.12),
            (roof0 + 0.1, height - 0.12),
            (back + 0.25, belt),
        ],
        0.14,
    )
    pillar = limb((0, belt), (-0.05, height - 0.1), 0.09)
    radius = float(rng.uniform(0.31, 0.37))
    shape = [body, faint(glass), pillar]
    for x in (-a * 0.62, a * 0.64):
        shape += wheel(x, radius)
    return shape


def car_end(rng: np.random.Generator) -> Shape:
    """A car seen from behind or in front."""
    half, height = rng.uniform(0.85, 0.98), rng.uniform(1.4, 1.8)
    belt = height * 0.58
    roof = half * rng.uniform(0.66, 0.78)
    return [
        rectangle(-half * 0.92, 0, -half * 0.6, 0.4, -0.2),
        rectangle(half * 0.6, 0, half * 0.92, 0.4, -0.2),
        polygon(
            [
                (-half, 0.25),
                (half, 0.25),
                (half, belt * 0.9),
                (half * 0.93, belt),
                (roof, height),
                (-roof, height),
                (-half * 0.93, belt),
                (-half, belt * 0.9),
            ]
        ),
        faint(
            polygon(
                [
                    (-half * 0.84, belt + 0.03),
                    (half * 0.84, belt + 0.03),
                    (roof * 0.9, height - 0.12),
                    (-roof * 0.9, height - 0.12),
                ],
                0.13,
            )
        ),
        rectangle(-half * 0.95, belt * 0.72, -half * 0.66, belt * 0.9, 0.2),
        rectangle(half * 0.66, belt * 0.72, half * 0.95, belt * 0.9, 0.2),
        rectangle(-0.26, 0.42, 0.26, 0.54, 0.22),
        rectangle(-half * 0.97, 0.25, half * 0.97, 0.36, -0.12),
    ]


def car_quarter(rng: np.random.Generator) -> Shape:
    """A car seen at an angle: its end, and its side foreshortened to the right of it."""
    end = car_end(rng)
    half = float(end[2].points[:, 0].max())
    height = float(end[2].points[:, 1].max())
    depth, belt = rng.uniform(0.9, 2.2), height * 0.58
    roof = float(end[2].points[4, 0])
    far = half + depth
    rise = 0.10 * depth
    side = polygon(
        [
            (half, 0.25),
            (far, 0.25 + rise),
            (far, belt * 0.95),
            (far - depth * 0.25, belt),
            (far - depth * 0.5, height * 0.97),
            (roof, height),
            (half * 0.93, belt),
        ],
        -0.08,
    )
    glass = polygon(
        [
            (half * 0.98, belt + 0.03),
            (far - depth * 0.3, belt + 0.02),
            (far - depth * 0.52, height * 0.93),
            (roof + 0.08, height - 0.1),
        ],
        0.1,
    )
    wheels = [
        faint(ellipse(half + depth * at, 0.31 + rise * at, 0.11 + 0.05 * depth, 0.31, -0.2))
        for at in (0.24, 0.8)
    ]
    shape = [side, faint(glass), *wheels, *end]
    shift = depth / 2
    return moved(shape, -shift, 0)


def truck_side(rng: np.random.Generator) -> Shape:
    """A truck with a box, its cabin to the right."""
    length, height = rng.uniform(6, 8.5), rng.uniform(2.9, 3.7)
    a = length / 2
    cabin = a - rng.uniform(1.7, 2.1)
    top = height * rng.uniform(0.7, 0.9)
    shape = [
        rectangle(-a, 0.5, a, 0.85, -0.12),
        rectangle(-a, 0.8, cabin - 0.1, height, 0.02),
        polygon([(cabin, 0.45), (a, 0.45), (a, top * 0.55), (a - 0.35, top), (cabin, top)], -0.03),
        polygon(
            [
                (cabin + 0.5, top * 0.58),
                (a - 0.1, top * 0.58),
                (a - 0.4, top * 0.92),
                (cabin + 0.5, top * 0.92),
            ],
            0.16,
        ),
    ]
    for x in (-a * 0.75, -a * 0.5, a * 0.75):
        shape += wheel(x, 0.48)
    return shape


def truck_end(rng: np.random.Generator) -> Shape:
    """A truck seen from behind."""
    half, height = rng.uniform(1.15, 1.3), rng.uniform(3.0, 3.7)
    return [
        rectangle(-half * 0.9, 0, -half * 0.5, 0.9, -0.2),
        rectangle(half * 0.5, 0, half * 0.9, 0.9, -0.2),
        rectangle(-half, 0.6, half, 0.95, -0.1),
        rectangle(-half, 0.9, half, height),
        rectangle(-0.04, 0.95, 0.04, height - 0.1, -0.15),
        rectangle(-half, 0.62, -half * 0.7, 0.85, 0.2),
        rectangle(half * 0.7, 0.62, half, 0.85, 0.2),
    ]
