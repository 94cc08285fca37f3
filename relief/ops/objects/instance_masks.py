"""Instances of a panoptic map as masks of their own, in run lengths, and back to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from relief.ops.panoptic import compact_pairs
from relief.ops.resize import resize_nearest
from relief.schema.instances import ImageInstances, Rle

_BITS, _SIGN, _MORE = 5, 16, 32  # of a character of compressed run lengths
_MOST_CHARACTERS = 6  # of one run


def panoptic_instances(
    panoptic: Tensor,
    thing_ids: Sequence[int],
    confidence: Tensor | None = None,
    *,
    has_crowds: bool = False,
) -> ImageInstances:
    """Takes the instances out of a panoptic map, by ascending (category, instance).

    Args:
        panoptic: (H, W, 2) int64 (category, instance).
        thing_ids: Categories that come in instances.
        confidence: (H, W) in [0, 1]; its mean over an instance is its score, 1 without.
        has_crowds: Whether pixels (thing, 0) are a crowd region of their category, as in ground
            truth; in labels they belong to no instance.
    """
    height, width = panoptic.shape[:2]
    ids, pairs = compact_pairs(panoptic.cpu())
    is_thing = torch.isin(pairs[:, 0], torch.tensor(list(thing_ids), dtype=torch.int64))
    chosen = is_thing if has_crowds else is_thing & (pairs[:, 1] > 0)
    number = torch.where(chosen, chosen.cumsum(0), 0).numpy()[ids.numpy()]
    masks = run_lengths(number, int(chosen.sum()))
    category, instance = pairs[chosen].numpy().T
    area = np.bincount(number.reshape(-1), minlength=len(masks) + 1)[1:].astype(np.float64)
    scores = np.ones(len(masks))
    if confidence is not None:
        sums = np.bincount(
            number.reshape(-1), confidence.double().cpu().numpy().reshape(-1), len(masks) + 1
        )
        scores = sums[1:] / np.maximum(area, 1)
    return ImageInstances(
        (height, width), category, boxes_of(masks), area, scores, instance == 0, masks
    )


def run_lengths(number: NDArray[Any], count: int) -> list[Rle]:
    """Encodes the regions 1..count of a map; every one has a pixel.

    Args:
        number: (H, W) integers, 0 = in no region.
        count: How many regions there are.
    """
    size = list(number.shape)
    flat = number.T.reshape(-1)
    begins = np.ones(flat.size, dtype=bool)
    begins[1:] = flat[1:] != flat[:-1]
    start = np.flatnonzero(begins)
    end = np.append(start[1:], flat.size)
    of_run = flat[start]
    order = np.argsort(of_run, kind="stable")
    parts = np.searchsorted(of_run[order], np.arange(1, count + 2))
    coded = []
    for first, last in pairwise(parts):
        runs = order[first:last]
        bounds = np.stack((start[runs], end[runs]), axis=1).reshape(-1)
        counts = np.diff(bounds, prepend=0, append=flat.size)
        counts = counts if counts[-1] else counts[:-1]
        coded.append({"size": size, "counts": counts.tolist()})
    return list(coco_mask.frPyObjects(coded, *size)) if coded else []


def boxes_of(masks: Sequence[Rle]) -> NDArray[np.float64]:
    """Returns the (N, 4) boxes x, y, width, height of masks, float64."""
    if not masks:
        return np.zeros((0, 4))
    return np.asarray(coco_mask.toBbox(list(masks)), dtype=np.float64)


def resized_instances(instances: ImageInstances, size: tuple[int, int]) -> ImageInstances:
    """Brings instances to another (height, width), masks by the nearest pixel."""
    if instances.size == size:
        return instances
    down, right = size[0] / instances.size[0], size[1] / instances.size[1]
    boxes = instances.boxes * np.array([right, down, right, down])
    area_px, masks = instances.area_px * down * right, None
    if instances.masks is not None:
        masks = [_resized(mask, size) for mask in instances.masks]
        area_px = np.asarray(coco_mask.area(masks), dtype=np.float64).reshape(len(instances))
    return replace(instances, size=size, boxes=boxes, area_px=area_px, masks=masks)


def _resized(mask: Rle, size: tuple[int, int]) -> Rle:
    pixels = resize_nearest(torch.from_numpy(decoded(mask)), size).numpy()
    encoded = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return Rle(size=list(size), counts=encoded["counts"])


def decoded(mask: Rle) -> NDArray[np.bool_]:
    """Returns a mask as pixels, (H, W) bool."""
    return np.asarray(coco_mask.decode(mask), dtype=np.bool_)


def run_counts(counts: bytes) -> NDArray[np.int64]:
    """Reads compressed run lengths: five bits a character, from the third on as differences.

    Raises:
        ValueError: They are none.
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - ord("0")
    last = (codes & _MORE) == 0
    if codes.size == 0 or codes.min() < 0 or codes.max() > 2 * _MORE - 1 or not last[-1]:
        msg = "expected compressed run lengths"
        raise ValueError(msg)
    first = np.flatnonzero(np.append(True, last[:-1]))
    place = np.arange(codes.size) - np.repeat(first, np.diff(first, append=codes.size))
    if place.max() > _MOST_CHARACTERS:
        msg = "expected run lengths below 2^35"
        raise ValueError(msg)
    values = np.add.reduceat((codes & (_MORE - 1)) << _BITS * place, first)
    is_negative = (codes[last] & _SIGN) > 0
    values -= np.where(is_negative, np.int64(1) << _BITS * (place[last] + 1), 0)
    runs = values.copy()
    runs[1::2], runs[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return runs
