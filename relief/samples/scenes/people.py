"""Silhouettes of people, walking, standing and riding."""

from __future__ import annotations

import numpy as np

from relief.samples.scenes.shapes import Shape, ellipse, limb, polygon, scaled


def person(rng: np.random.Generator) -> Shape:
    """Someone who stands or walks."""
    height = rng.uniform(1.55, 1.9)
    stride = rng.uniform(0.02, 0.32)
    broad = rng.uniform(0.23, 0.3)
    swing = rng.uniform(0.0, 0.25)
    hip, shoulder = 0.48, 0.82
    shape = [
        limb((0.07, hip), (0.07 + stride, 0.02), 0.17, -0.08),
        limb((-0.07, hip), (-0.07 - stride, 0.02), 0.17, -0.08),
        limb((0.09 + stride, 0.03), (0.24 + stride, 0.03), 0.08, -0.14),
        limb((-0.07 - stride, 0.03), (0.08 - stride, 0.03), 0.08, -0.14),
        limb((broad - 0.04, shoulder - 0.02), (broad + swing, 0.47), 0.12, 0.0),
        limb((-broad + 0.04, shoulder - 0.02), (-broad - swing, 0.47), 0.12, 0.0),
        polygon(
            [
                (-broad, shoulder),
                (-0.1, 0.86),
                (0.1, 0.86),
                (broad, shoulder),
                (0.19, hip - 0.03),
                (-0.19, hip - 0.03),
            ],
            0.06,
        ),
        ellipse(0, 0.93, 0.11, 0.075, 0.12),
    ]
    if rng.random() < 0.3:
        shape.append(polygon([(-0.22, 0.6), (0.22, 0.6), (0.3, 0.28), (-0.3, 0.28)], 0.04))
    return scaled(shape, 1.0 * height / 1.7, height)


def rider_side(rng: np.random.Generator) -> Shape:
    """Someone on a bicycle or motorcycle that heads to the right, from the ground up."""
    lean = rng.uniform(0.1, 0.3)
    tall = rng.uniform(0.95, 1.06)
    hip, shoulder = (-0.18, 1.0), (-0.1 + lean, 1.52 * tall)
    knee = (0.2, 0.72)
    shape = [
        limb(hip, knee, 0.22, -0.06),
        limb(knee, (0.04, 0.3), 0.17, -0.08),
        limb((0.0, 0.3), (0.2, 0.26), 0.1, -0.14),
        polygon(
            [
                (hip[0] - 0.17, hip[1] - 0.08),
                (hip[0] + 0.17, hip[1] - 0.1),
                (shoulder[0] + 0.2, shoulder[1] - 0.1),
                (shoulder[0] + 0.05, shoulder[1] + 0.06),
                (shoulder[0] - 0.17, shoulder[1]),
            ],
            0.05,
        ),
        limb((shoulder[0] + 0.04, shoulder[1] - 0.06), (0.38, 1.14), 0.13, 0.0),
        ellipse(shoulder[0] + 0.1, shoulder[1] + 0.2, 0.14, 0.16, 0.1),
    ]
    return shape
