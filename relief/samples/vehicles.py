"""Silhouettes of cars, trucks, buses, trams and two-wheelers."""

from __future__ import annotations

import numpy as np

from relief.samples.shapes import Shape, ellipse, limb, polygon, rectangle


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
    wheel = rng.uniform(0.31, 0.37)
    shape = [body, glass, pillar]
    for x in (-a * 0.62, a * 0.64):
        shape += [
            ellipse(x, wheel, wheel, wheel, -0.2),
            ellipse(x, wheel, wheel * 0.55, wheel * 0.55, 0.1),
        ]
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
        polygon(
            [
                (-half * 0.84, belt + 0.03),
                (half * 0.84, belt + 0.03),
                (roof * 0.9, height - 0.12),
                (-roof * 0.9, height - 0.12),
            ],
            0.13,
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
        -0.05,
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
        ellipse(half + depth * at, 0.3 + rise * at, 0.16 + 0.05 * depth, 0.32, -0.2)
        for at in (0.2, 0.78)
    ]
    shape = [side, glass, *wheels, *end]
    shift = depth / 2
    for part in shape:
        part.points = part.points - (shift, 0)
    return shape


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
        shape += [ellipse(x, 0.48, 0.48, 0.48, -0.2), ellipse(x, 0.48, 0.22, 0.22, 0.1)]
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
        rectangle(x0 + 0.06, 1.35, x1 - 0.06, height - 0.4, 0.1)
        for x0, x1 in zip(edges, edges[1:], strict=False)
    ]
    for x in (-a * 0.6, a * 0.62):
        shape += [ellipse(x, 0.48, 0.48, 0.48, -0.2), ellipse(x, 0.48, 0.22, 0.22, 0.1)]
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
    for x0, x1 in zip(joints, joints[1:], strict=False):
        for w0, w1 in zip(np.linspace(x0, x1, 4), np.linspace(x0, x1, 4)[1:], strict=False):
            shape.append(rectangle(w0 + 0.15, 1.5, w1 - 0.15, height - 0.7, 0.1))
    shape += [rectangle(x - 0.15, 0.25, x + 0.15, height, -0.15) for x in joints[1:-1]]
    shape += [
        rectangle(x0 + 0.6, 0.0, x1 - 0.6, 0.3, -0.2)
        for x0, x1 in zip(joints, joints[1:], strict=False)
    ]
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
            ellipse(x, wheel, wheel, wheel, -0.15),
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
