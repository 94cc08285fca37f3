"""Whether objects stand in front of what is seen above them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def share_in_front(
    instance: NDArray[np.int64],
    depth: NDArray[Any],
    least_step: float = 0.01,
    inside_px: int = 2,
    outside_px: int = 5,
) -> NDArray[np.float64]:
    """Measures how much of each object's upper edge is nearer than what lies above it.

    The upper edge is every pixel of an object whose neighbour above is not of it. What stands on
    the ground hides something above; a piece of a wall or of the ground goes on there, or lies
    behind.

    Args:
        instance: (H, W), 0 = none, 1..N.
        depth: (H, W) float in [0, 1], 0 near.
        least_step: A step of depth towards what is farther counts above this.
        inside_px: How far below the edge the object's depth is looked up.
        outside_px: How far above the edge the other depth is looked up.

    Returns:
        (N + 1,) in [0, 1]; entry 0, and objects that only the image's border ends above, are 0.
    """
    count = int(instance.max(initial=0)) + 1
    row, column = np.nonzero((instance[1:] > 0) & (instance[1:] != instance[:-1]))
    row += 1
    number = instance[row, column]
    below = depth[np.minimum(row + inside_px, len(depth) - 1), column]
    above = depth[np.maximum(row - outside_px, 0), column]
    in_front = np.bincount(number, above - below > least_step, minlength=count)
    return np.asarray(in_front / np.maximum(np.bincount(number, minlength=count), 1))
