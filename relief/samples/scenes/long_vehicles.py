"""Silhouettes of buses and trams, in metres."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from relief.samples.scenes.shapes import Shape, ellipse, polygon, rectangle, wheel


def bus_side(rng: np.random.Generator) -> Shape:
    """A bus, its front to the right."""
    length, height = rng.uniform(8.5, 11), rng.uniform(2.9, 3.3)
    a = length / 2
    shape = [
        polygon(
            [
                (-a, 0.3),
                (a, 0.3),
                (a, height * 0.7),
                (a - 0.2, height),
                (-a + 0.1, height),
                (-a, height - 0.1),
            ]
        )
    ]
    count = int(rng.integers(5, 8))
    edges = np.linspace(-a + 0.25, a - 0.15, count + 1)
    shape += [
        rectangle(x0 + 0.06, 1.35, x1 - 0.06, height - 0.4, 0.1) for x0, x1 in pairwise(edges)
    ]
    for x in (-a * 0.6, a * 0.62):
        shape += wheel(x, 0.48)
    return shape


def bus_end(rng: np.random.Generator) -> Shape:
    """A bus seen from an end."""
    half, height = rng.uniform(1.2, 1.3), rng.uniform(2.9, 3.3)
    return [
        rectangle(-half * 0.9, 0, -half * 0.55, 0.5, -0.2),
        rectangle(half * 0.55, 0, half * 0.9, 0.5, -0.2),
        polygon(
            [
                (-half, 0.3),
                (half, 0.3),
                (half, height - 0.2),
                (half - 0.15, height),
                (-half + 0.15, height),
                (-half, height - 0.2),
            ]
        ),
        rectangle(-half * 0.88, 1.3, half * 0.88, height - 0.6, 0.12),
        rectangle(-half * 0.7, height - 0.45, half * 0.7, height - 0.15, -0.15),
        rectangle(-half * 0.95, 0.6, -half * 0.65, 0.85, 0.2),
        rectangle(half * 0.65, 0.6, half * 0.95, 0.85, 0.2),
    ]


def train_side(rng: np.random.Generator) -> Shape:
    """A tram of several cars."""
    length, height = rng.uniform(11, 17), rng.uniform(3.2, 3.6)
    a = length / 2
    shape = [
        polygon(
            [
                (-a, 0.25),
                (a, 0.25),
                (a, height * 0.5),
                (a - 0.7, height),
                (-a + 0.7, height),
                (-a, height * 0.5),
            ]
        )
    ]
    joints = np.linspace(-a, a, int(rng.integers(3, 5)) + 1)
    for x0, x1 in pairwise(joints):
        for w0, w1 in pairwise(np.linspace(x0, x1, 4)):
            shape.append(rectangle(w0 + 0.15, 1.5, w1 - 0.15, height - 0.7, 0.1))
    shape += [rectangle(x - 0.15, 0.25, x + 0.15, height, -0.15) for x in joints[1:-1]]
    shape += [rectangle(x0 + 0.6, 0.0, x1 - 0.6, 0.3, -0.2) for x0, x1 in pairwise(joints)]
    return shape


def train_end(rng: np.random.Generator) -> Shape:
    """A tram seen from in front."""
    half, height = rng.uniform(1.2, 1.35), rng.uniform(3.3, 3.7)
    return [
        rectangle(-half * 0.8, 0, half * 0.8, 0.35, -0.2),
        polygon(
            [
                (-half, 0.25),
                (half, 0.25),
                (half, height * 0.6),
                (half * 0.8, height),
                (-half * 0.8, height),
                (-half, height * 0.6),
            ]
        ),
        polygon(
            [
                (-half * 0.85, 1.4),
                (half * 0.85, 1.4),
                (half * 0.72, height - 0.6),
                (-half * 0.72, height - 0.6),
            ],
            0.12,
        ),
        rectangle(-half * 0.5, height - 0.45, half * 0.5, height - 0.15, -0.15),
        ellipse(-half * 0.65, 0.8, 0.16, 0.16, 0.2),
        ellipse(half * 0.65, 0.8, 0.16, 0.16, 0.2),
    ]
