"""The images the sample's features are learned from. Labels and depth are never opened."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.images import read_image
from relief.ops.resize import resize_image
from relief.ops.sliding_window import network_size
from relief.schema.errors import UsageError

SHORT_SIDE_PX = 322
PATCH_PX = 14


def load_train_images(root: Path, limit: int | None = None) -> Tensor:
    """The train images of a drawn sample, as the network will see them.

    Args:
        root: Of a tree with `leftImg8bit/train/CITY/*.png`.
        limit: Only the first ones.

    Returns:
        (N, 3, 322, 644) uint8 for images of twice the width of their height.

    Raises:
        UsageError: There are none.
    """
    paths = sorted((root / "leftImg8bit" / "train").glob("*/*_leftImg8bit.png"))[:limit]
    if not paths:
        msg = (
            f"no train images: {root} (looked for leftImg8bit/train/*/*.png). "
            f"Draw the sample: python -m relief.samples.draw --root {root}"
        )
        raise UsageError(msg)
    resized = []
    for path in paths:
        image = read_image(path)[None]
        size = network_size((image.shape[-2], image.shape[-1]), SHORT_SIDE_PX, PATCH_PX)
        resized.append(resize_image(image, size))
    return torch.cat(resized)
