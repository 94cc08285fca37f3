"""What a tree of all levels costs beside single runs, for the objects of 40 thresholds x 20 areas.

    OMP_NUM_THREADS=1 python -m benchmarks.split_tree

Both count the same objects of one drawn 512x1024 scene in one region, which is checked. Times are
CPU seconds of one thread.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.splitting import drawn_scene
from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import partition
from relief.ops.splitting.split_tree import gradient_tree

LEVELS = np.geomspace(0.002, 0.2, 40).tolist()
AREAS_PX = list(range(100, 2001, 100))


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    semantic, depth = drawn_scene()
    region = (semantic[0].numpy() >= 11).astype(np.uint8)
    gradient = gradient_magnitude_cpu(ToggleSharpening().sharpened(depth[0, 0].numpy()))
    start = time.process_time()
    one = partition(region, gradient > LEVELS[0])
    single = time.process_time()
    runs = [partition(region, gradient > level) for level in LEVELS]
    counts = [[int(run.instance_ids(area).max()) for area in AREAS_PX] for run in runs]
    singles = time.process_time()
    tree = gradient_tree(region, gradient)
    built = time.process_time()
    answers = tree.counts(LEVELS, AREAS_PX)
    answered = time.process_time()
    assert answers.tolist() == counts
    assert len(one.area_px) > 1
    for name, seconds in (
        ("components at one threshold", single - start),
        ("40 thresholds x 20 areas, one by one", singles - single),
        ("the tree", built - singles),
        ("40 x 20 answers of the tree", answered - built),
    ):
        print(f"{name:40s}{1000 * seconds:9.1f} ms")


if __name__ == "__main__":
    main()
