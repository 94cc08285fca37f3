"""What a sweep over 40 thresholds x 20 area filters costs beside one setting, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.sweep_grid [--images 4]

Scenes, labels and reading as in `benchmarks.sweep`; processor seconds of one thread, reading and
scoring included. Figures of some settings are compared with those of runs of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.sweep import draw_inputs, published, timed
from relief.studies.sweeps.sweep import SweepResult, run_sweep
from relief.studies.sweeps.sweep_plan import SweepRequest, SweepRow

LEVELS = np.geomspace(0.02, 1.0, 40).round(4).tolist()
AREAS_PX = list(range(100, 2001, 100))


def swept(request: SweepRequest, rows: list[SweepRow], out: Path) -> tuple[SweepResult, float]:
    """A sweep of the last source with these rows, and its seconds."""
    source = replace(request.sources[-1], rows=rows)
    with contextlib.redirect_stderr(io.StringIO()):
        return timed(run_sweep, replace(request, sources=[source], out=str(out)))


def main() -> None:
    """Prints times, their ratio, and whether the figures are identical."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_inputs(root, options.images)
        request = published(root)
        swept(request, [SweepRow([1000], 0.2)], root / "warm")
        _, single = swept(request, [SweepRow([1000], 0.2)], root / "single")
        grid, seconds = swept(request, [SweepRow(AREAS_PX, tau) for tau in LEVELS], root / "grid")
        different = 0
        for index in range(0, len(grid.rows), 267):
            row = grid.rows[index]
            alone = SweepRow([row["min_area_px"]], row["gradient_threshold"])
            (own,) = swept(request, [alone], root / f"alone{index}")[0].rows
            different += own != row
    print(f"one setting          {1000 * single / options.images:8.1f} ms an image")
    print(f"{len(grid.rows)} settings         {1000 * seconds / options.images:8.1f} ms an image")
    print(f"{seconds / single:.1f} times one setting; settings with other figures: {different}")


if __name__ == "__main__":
    main()
