"""COCO segment ids: (category, instance) in 24 bits, and 24 bits in an RGB PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.label_png import ByteSource, read_rgb, write_png
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID

INSTANCE_BITS = 15
MAX_INSTANCES = 2**INSTANCE_BITS - 1
MAX_CATEGORIES = 2 ** (24 - INSTANCE_BITS) - 1
_NO_INSTANCE, _NO_CATEGORY = -1, -2  # the lower one is told first


def refuse_too_many_categories(num_categories: int) -> None:
    """Refuses more categories than the ids of `panoptic/` can tell apart.

    Raises:
        UsageError: With the limit.
    """
    if num_categories > MAX_CATEGORIES:
        msg = (
            f"{num_categories} clusters: COCO segment ids tell at most {MAX_CATEGORIES} apart. "
            f"Choose k of at most {MAX_CATEGORIES}."
        )
        raise UsageError(msg)


def compose_segment_ids(panoptic: Tensor, is_thing: Tensor) -> Tensor:
    """Composes COCO segment ids where the map is, without waiting for its device.

    Args:
        panoptic: (H, W, 2) integers (category, instance).
        is_thing: (num_categories,) bool.

    Returns:
        (H, W) int32 ids, 0 = void, for `checked_segment_ids`: below 0 where there can be no id.
    """
    category, instance = panoptic.to(torch.int32).unbind(-1)
    is_thing = is_thing[:MAX_CATEGORIES].to(category.device)
    limit = len(is_thing)
    table = torch.cat((is_thing.new_zeros(1), is_thing))  # void first
    row = (category.clamp(VOID, limit - 1) + 1).flatten()
    thing = table.index_select(0, row).view_as(category)
    is_segment = (category != VOID) & (~thing | (instance > 0))
    ids = (category + 1 << INSTANCE_BITS) + instance.where(thing, 0)
    ids = ids.where(is_segment, 0)
    ids = ids.where((instance >= 0) & (instance <= MAX_INSTANCES), _NO_INSTANCE)
    return ids.where((category >= VOID) & (category < limit), _NO_CATEGORY)


def checked_segment_ids(ids: Tensor, num_categories: int) -> NDArray[np.uint32]:
    """(H, W) int32 of `compose_segment_ids`, by now on the CPU, as uint32.

    Raises:
        ValueError: A category or an instance was out of range.
    """
    lowest = int(ids.min()) if ids.numel() else 0
    if lowest == _NO_CATEGORY:
        msg = f"expected categories in [-1, {min(num_categories, MAX_CATEGORIES)})"
        raise ValueError(msg)
    if lowest == _NO_INSTANCE:
        msg = f"expected instances in [0, {MAX_INSTANCES}]"
        raise ValueError(msg)
    return ids.numpy().view(np.uint32)


def segment_ids(panoptic: Tensor, is_thing: Tensor) -> NDArray[np.uint32]:
    """(H, W, 2) (category, instance) as (H, W) COCO segment ids, 0 = void.

    Raises:
        ValueError: A category or an instance is out of range.
    """
    return checked_segment_ids(compose_segment_ids(panoptic, is_thing).cpu(), len(is_thing))


def split_segment_ids(ids: NDArray[np.uint32]) -> tuple[Tensor, Tensor]:
    """(H, W) segment ids of a store as category (-1 = void) and instance, both int64."""
    signed = torch.from_numpy(ids.astype(np.int64))
    return (signed >> INSTANCE_BITS) - 1, signed & MAX_INSTANCES


def write_segment_ids(path: Path, ids: NDArray[np.uint32]) -> None:
    """Writes (H, W) ids below 2^24 as RGB, id = R + 256 G + 256^2 B; raises `WriteError`."""
    write_png(path, ids_as_rgb(ids))


def ids_as_rgb(ids: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Returns (H, W) ids below 2^24 as (H, W, 3) RGB, id = R + 256 G + 256^2 B."""
    little_endian = np.ascontiguousarray(ids, dtype="<u4")
    wide = little_endian.view(np.uint8).reshape(*ids.shape, 4)
    return np.asarray(cv2.cvtColor(wide, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def read_segment_ids(path: ByteSource) -> NDArray[np.uint32]:
    """Reads what `write_segment_ids` wrote, or anyone else, (H, W) uint32.

    Raises:
        ReadError: As `read_rgb`.
    """
    colours = read_rgb(path)
    wide = np.ascontiguousarray(cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA))
    return np.asarray(wide.view("<u4")[..., 0] & 0xFFFFFF, dtype=np.uint32)
