"""Softens depth files as networks do, to see what it costs.

    python -m relief.samples.soften --depth outputs/sample/depth --sigma_px 2

writes `outputs/sample/depth_soft_2px` with the same tree: every map blurred, with noise, in [0, 1].
"""

from __future__ import annotations

import sys
from hashlib import blake2s
from pathlib import Path

import cv2
import numpy as np
from jsonargparse import auto_cli
from numpy.typing import NDArray
from rich.console import Console

from relief.formats.files.atomic import write_array
from relief.ops.splitting.depth_softness import edge_softness_px
from relief.processes.progress import with_progress
from relief.schema.errors import ReliefError, UsageError


def soften(depth: Path, sigma_px: float, noise: float = 0.005, out: Path | None = None) -> int:
    """Writes softened copies of all depth files of a folder.

    Args:
        depth: Folder of .npy files, any tree.
        sigma_px: Of the Gaussian, in pixels of the maps.
        noise: Standard deviation of what is added afterwards; drawn by the file's name.
        out: The new folder; DEPTH_soft_SIGMApx beside it by default.

    Returns:
        How many files were written.

    Raises:
        UsageError: There are no files.
    """
    paths = sorted(depth.rglob("*.npy"))
    if not paths:
        msg = f"no depth files: {depth}. Draw the sample first (python label.py)."
        raise UsageError(msg)
    target = out or depth.with_name(f"{depth.name}_soft_{sigma_px:g}px")
    before, after = list[float](), list[float]()
    for path in with_progress(paths, "softening", len(paths)):
        name = path.relative_to(depth)
        seed = int.from_bytes(blake2s(name.as_posix().encode(), digest_size=8).digest(), "big")
        sharp = np.load(path)
        soft = softened(sharp, sigma_px, noise, np.random.default_rng(seed))
        write_array(target / name, soft)
        before.append(edge_softness_px(sharp))
        after.append(edge_softness_px(soft))
    was, now = np.median(before), np.median(after)
    Console().print(f"{len(paths)} maps in {target}: edges are {was:.1f} -> {now:.1f} px soft")
    return len(paths)


def softened(
    depth: NDArray[np.floating], sigma_px: float, noise: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Blurs one map (H, W) and adds noise; float32 in [0, 1]."""
    smooth = cv2.GaussianBlur(np.asarray(depth, np.float32), (0, 0), sigma_px)
    return np.clip(smooth + random.normal(0, noise, depth.shape), 0, 1).astype(np.float32)


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
