"""Which entries of a training batch are maps of its pixels, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

PixelKind = Literal["image", "ids", "weights"]
"""`image`: (B, C, H, W) floating point; `ids`: (B, H, W) whole numbers, never mixed; `weights`:
(B, H, W) floating point in [0, 1]."""

STANDARD: Mapping[str, PixelKind] = {
    "image": "image",
    "semantic": "ids",
    "instance": "ids",
    "confidence": "weights",
}


def pixel_maps(batch: Mapping[str, Any]) -> dict[str, PixelKind]:
    """Lists the per-pixel entries of a batch with their kinds, in the order of the batch.

    A tensor whose last two sides are those of `image` and whose first is the number of images is
    such a map. Entries beside `STANDARD` are declared under `kinds` by whoever adds them.

    Args:
        batch: Has `image`, (B, C, H, W).

    Raises:
        ValueError: A map has no kind, or one that nobody knows: moved by guess, or not at all, it
            would no longer lie over its image.

    Example:
        >>> import torch
        >>> maps = pixel_maps({"image": torch.zeros(1, 3, 4, 6), "semantic": torch.zeros(1, 4, 6)})
        >>> sorted(maps.items())
        [('image', 'image'), ('semantic', 'ids')]
    """
    image: Tensor = batch["image"]
    kinds = {**STANDARD, **batch.get("kinds", {})}
    maps: dict[str, PixelKind] = {}
    for name, value in batch.items():
        if not isinstance(value, Tensor) or value.ndim < 3:
            continue
        if len(value) != len(image) or value.shape[-2:] != image.shape[-2:]:
            continue
        if kinds.get(name) not in ("image", "ids", "weights"):
            msg = (
                f"the map `{name}` of the batch is of no known kind: {kinds.get(name)}. "
                "Declare it under `kinds` as image, ids or weights."
            )
            raise ValueError(msg)
        maps[name] = kinds[name]
    return maps
