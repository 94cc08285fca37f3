"""Which features of an image a codebook is fitted on: drawn by seed and key alone."""

from __future__ import annotations

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.ops.window_features import WindowFeatures


def samples_per_image(num_images: int, max_samples: int, most: int = 2000) -> int:
    """How many features every image gives: min(2000, max(1, max_samples // images))."""
    return min(most, max(1, max_samples // max(1, num_images)))


def key_generator(seed: int, key: str) -> torch.Generator:
    """Random numbers that depend on the seed and the image alone, never on rank or batch."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def sample_features(
    windows: WindowFeatures, patch_px: int, wanted: int, generator: torch.Generator
) -> Tensor:
    """Some L2-normalised features of one image, from its patch grid.

    Args:
        windows: The features of the image's windows.
        patch_px: The backbone's patch.
        wanted: At most so many.
        generator: Draws them, see `key_generator`.

    Returns:
        (N, C) float32 in the order of the grid.
    """
    features = patch_features(windows, patch_px)
    return features[some_of(torch.arange(len(features)), wanted, generator).to(features.device)]


def patch_features(windows: WindowFeatures, patch_px: int) -> Tensor:
    """(h * w, C) L2-normalised features of all patches of one image."""
    grid = windows.grid(patch_grid(windows, patch_px))
    return F.normalize(grid.flatten(1).T, dim=1)


def patch_grid(windows: WindowFeatures, patch_px: int) -> tuple[int, int]:
    """(height, width) of the image in patches."""
    height, width = windows.size
    return height // patch_px, width // patch_px


def some_of(indices: Tensor, wanted: int, generator: torch.Generator) -> Tensor:
    """At most `wanted` of (N,) sorted indices, still sorted."""
    order = torch.randperm(len(indices), generator=generator)[:wanted]
    return indices[order.sort().values]
