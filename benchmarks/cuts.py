"""What cutting one image costs against the published way, on one thread, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.cuts [--side 60]

The published way solves the whole generalised eigenproblem densely for every mask. Both part the
patches alike, which is checked first. Times are CPU seconds; features come from elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from jsonargparse import auto_cli
from torch import Tensor

from relief.ops.cuts.cut_3d import extract
from relief.ops.cuts.normalized_cut import (
    binary_affinity,
    foreground_side,
    mask_cut,
    second_eigenvector,
)


def drawn(side: int, blobs: int = 6, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Features (32, side, side) of blobs before a background, and their depth (side, side)."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.standard_normal((32, 32)))[0]
    which, depth = np.zeros((side, side), int), np.ones((side, side))
    for blob in range(1, blobs + 1):
        size = random.integers(side // 8, side // 4, 2)
        row, column = (random.integers(2, side - extent - 2) for extent in size)
        box = slice(row, row + size[0]), slice(column, column + size[1])
        which[box], depth[box] = blob, blob / (2 * blobs)
    noise = 0.05 * random.standard_normal((side, side, 32))
    features = torch.from_numpy(directions[which] + noise).permute(2, 0, 1).float()
    return features, torch.from_numpy(depth)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main(side: int = 60) -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    features, depth = drawn(side)
    affinity = binary_affinity(features)
    size = (side, side)
    fast, dense = second_eigenvector(affinity), second_eigenvector(affinity, dense=True)
    assert torch.equal(foreground_side(fast, size)[0], foreground_side(dense, size)[0])
    solver = seconds(lambda: second_eigenvector(affinity))
    rows = {
        "affinity": seconds(lambda: binary_affinity(features)),
        "eigenvector": solver,
        "eigenvector, dense as published": seconds(
            lambda: second_eigenvector(affinity, dense=True)
        ),
        "MaskCut, 3 masks": seconds(lambda: mask_cut(features)),
        "CutS3D, 3 masks, LocalCut and 6 cuts each": seconds(lambda: extract(features, depth)),
    }
    for name, cost in rows.items():
        print(f"{name:<45} {cost:7.3f} s  {cost / solver:6.1f} eigenvectors")


if __name__ == "__main__":
    auto_cli(main)
