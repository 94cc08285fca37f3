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
    height, width = windows.size
    grid = windows.grid((height // patch_px, width // patch_px))
    features = F.normalize(grid.flatten(1).T, dim=1)
    order = torch.randperm(len(features), generator=generator)[:wanted]
    return features[order.sort().values.to(features.device)]
