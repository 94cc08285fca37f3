"""Softens depth files as networks do, to see what it costs.

    python -m relief.samples.soften --depth outputs/sample/depth --sigma_px 2

writes `outputs/sample/depth_soft_2px` with the same tree: every map blurred, with noise, in [0, 1].
`--curve` bends depth before.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from jsonargparse import auto_cli
from rich.console import Console

from relief.formats.depth_changes import Curve, change_depth_files
from relief.schema.errors import ReliefError


def soften(
    depth: Path,
    sigma_px: float,
    noise: float = 0.005,
    out: Path | None = None,
    curve: Curve = "same",
) -> int:
    """Writes softened copies of all depth files of a folder.

    Args:
        depth: Folder of .npy files, any tree.
        sigma_px: Of the Gaussian, in pixels of the maps; 0 for none.
        noise: Standard deviation of what is added afterwards; drawn by the file's name.
        out: The new folder; DEPTH_soft_SIGMApx beside it by default.
        curve: `same`, `half`, `root` or `inverse` depth, before softening.

    Returns:
        How many files were written.

    Raises:
        UsageError: There are no files.
    """
    target = out or depth.with_name(f"{depth.name}_soft_{sigma_px:g}px")
    softness = change_depth_files(depth, target, sigma_px, noise, curve)
    was, now = np.median(softness, axis=0)
    Console().print(f"{len(softness)} maps in {target}: edges are {was:.1f} -> {now:.1f} px soft")
    return len(softness)


def main() -> int:
    """Runs the command; returns the exit code."""
    try:
        auto_cli(soften, as_positional=False)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
