"""Silhouettes of bicycles and motorcycles, in metres."""

from __future__ import annotations

import numpy as np

from relief.samples.scenes.shapes import Shape, ellipse, faint, limb, polygon, rectangle


def bicycle_side(rng: np.random.Generator) -> Shape:
    """A bicycle, wheels filled as they are annotated in Cityscapes."""
    wheel = rng.uniform(0.34, 0.4)
    base = rng.uniform(0.52, 0.58)
    crank, seat, head = (0.0, wheel * 0.9), (-0.18, 0.95), (base * 0.75, 0.95)
    shape: Shape = []
    for x in (-base, base):
        shape += [
            ellipse(x, wheel, wheel, wheel, -0.12),
            ellipse(x, wheel, wheel * 0.86, wheel * 0.86, 0.08),
            ellipse(x, wheel, 0.06, 0.06, -0.12),
        ]
    for a, b in (
        (crank, seat),
        (crank, head),
        (seat, head),
        ((-base, wheel), crank),
        ((-base, wheel), seat),
        (head, (base, wheel)),
    ):
        shape.append(limb(a, b, 0.09, -0.1))
    shape += [polygon([crank, seat, head], 0.02), limb(head, (base * 0.72, 1.12), 0.08, -0.1)]
    shape += [
        rectangle(-0.32, 0.97, -0.06, 1.05, -0.1),
        rectangle(base * 0.55, 1.08, base * 0.95, 1.16, -0.1),
    ]
    return shape


def motorcycle_side(rng: np.random.Generator) -> Shape:
    """A motorcycle or scooter."""
    wheel = rng.uniform(0.33, 0.38)
    base = rng.uniform(0.68, 0.78)
    top = rng.uniform(0.85, 1.0)
    shape: Shape = []
    for x in (-base, base):
        shape += [
            faint(ellipse(x, wheel, wheel, wheel, -0.15), 0.7),
            ellipse(x, wheel, wheel * 0.5, wheel * 0.5, 0.12),
        ]
    shape += [
        polygon(
            [
                (-base - 0.25, top - 0.1),
                (-base + 0.1, 0.4),
                (0.35, 0.25),
                (base * 0.7, 0.6),
                (base * 0.75, top + 0.15),
                (0.2, top + 0.05),
                (-0.1, top - 0.1),
            ]
        ),
        limb((base, wheel), (base * 0.62, top + 0.2), 0.13, -0.1),
        polygon(
            [
                (base * 0.5, top + 0.05),
                (base * 0.85, top),
                (base * 0.75, top + 0.45),
                (base * 0.6, top + 0.4),
            ],
            0.14,
        ),
        polygon(
            [
                (-base - 0.2, top - 0.08),
                (0.05, top - 0.12),
                (0.0, top + 0.04),
                (-base * 0.9, top + 0.06),
            ],
            -0.14,
        ),
    ]
    return shape
