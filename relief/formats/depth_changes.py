"""Copies of depth files with other values: blurred, noisy, bent."""

from __future__ import annotations

from hashlib import blake2s
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from relief.formats.files.atomic import write_array
from relief.ops.splitting.depth_softness import edge_softness_px
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError

Curve = Literal["same", "half", "inverse", "root"]
_NEAREST = 0.1  # what inverse depth is taken of at the nearest pixel, where it would be infinite


def change_depth_files(
    depth: Path, out: Path, sigma_px: float, noise: float, curve: Curve = "same"
) -> list[tuple[float, float]]:
    """Writes changed copies of all depth files of a folder.

    Args:
        depth: Folder of .npy files, any tree.
        out: The new folder.
        sigma_px: Of the Gaussian, in pixels of the maps; 0 for none.
        noise: Standard deviation of what is added afterwards; drawn by the file's name.
        curve: See `bent`; before the blur.

    Returns:
        Of each file how soft edges were and are, in pixels.

    Raises:
        UsageError: There are no files.
    """
    paths = sorted(depth.rglob("*.npy"))
    if not paths:
        msg = f"no depth files: {depth}. Draw the sample first (python label.py)."
        raise UsageError(msg)
    softness = []
    for path in with_progress(paths, "softening", len(paths)):
        name = path.relative_to(depth)
        seed = int.from_bytes(blake2s(name.as_posix().encode(), digest_size=8).digest(), "big")
        sharp = np.load(path)
        soft = softened(bent(sharp, curve), sigma_px, noise, np.random.default_rng(seed))
        write_array(out / name, soft)
        softness.append((edge_softness_px(sharp), edge_softness_px(soft)))
    return softness


def softened(
    depth: NDArray[np.floating], sigma_px: float, noise: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Blurs one map (H, W) and adds noise; float32 in [0, 1]."""
    smooth = np.asarray(depth, np.float32)
    smooth = cv2.GaussianBlur(smooth, (0, 0), sigma_px) if sigma_px > 0 else smooth
    return np.clip(smooth + random.normal(0, noise, depth.shape), 0, 1).astype(np.float32)


def bent(depth: NDArray[np.floating], curve: Curve) -> NDArray[np.float32]:
    """Changes what a step of depth is worth, in the same order from near to far.

    Args:
        depth: (H, W) in [0, 1], 0 near.
        curve: `same`; `half` of it; its square `root`; or `inverse`: linear in 1 / (depth + 0.1),
            back in [0, 1] with 0 near.
    """
    values = np.asarray(depth, np.float32)
    if curve == "half":
        return np.asarray(values / 2, np.float32)
    if curve == "root":
        return np.asarray(np.sqrt(values), np.float32)
    if curve == "inverse":
        nearest, farthest = 1 / _NEAREST, 1 / (1 + _NEAREST)
        inverse = (nearest - 1 / (values + _NEAREST)) / (nearest - farthest)
        return np.asarray(inverse, np.float32)
    return values
