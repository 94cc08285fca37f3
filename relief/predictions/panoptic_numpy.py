"""A panoptic map from what an exported network says; needs NumPy and SciPy only.

This file stands alone, so that it can be copied beside `model.onnx` into another program:

    maps = json.load(open("model.json"))
    shares, boundaries = session.run(None, {"image": image[None]})    # (3, H, W) float32 in [0, 1]
    panoptic = panoptic_map(shares[0], boundaries[0], maps, (height, width))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
VOID = -1


def panoptic_map(
    shares: Floats, boundaries: Floats, maps: Mapping[str, Any], size: tuple[int, int]
) -> Ints:
    """Makes the map of one image.

    Args:
        shares: (1 + regions, h, w) probabilities: an unused class, stuff, things.
        boundaries: (h, w) probabilities.
        maps: `model.json`: category ids `stuff`, `things`; `boundary`, `min_area_px`, `reach_px`.
        size: (height, width) of the map.

    Returns:
        (*size, 2) int64 (category, instance); stuff has instance 0, objects 1..N, the surest first.
    """
    first = 1 + len(maps["stuff"])
    instance, classes = objects(shares, boundaries, first, maps)
    at_size = nearest(instance, size)
    large = bilinear(shares, size)
    stuff, is_stuff = np.asarray(maps["stuff"]), np.asarray(at_size == 0)
    category = np.full(size, VOID, np.int64)
    if len(stuff):
        category[is_stuff] = stuff[large[1:first].argmax(axis=0)][is_stuff]
    of_object = np.array([VOID, *(maps["things"][one] for one in classes)], np.int64)
    category[~is_stuff] = of_object[at_size[~is_stuff]]
    return np.stack((category, at_size), axis=-1)


def objects(
    shares: Floats, boundaries: Floats, first: int, maps: Mapping[str, Any]
) -> tuple[Ints, list[int]]:
    """Finds objects: parts of the region of things between boundaries, the surest first.

    Args:
        shares: As `panoptic_map`.
        boundaries: As `panoptic_map`.
        first: Index of the first thing class.
        maps: As `panoptic_map`.

    Returns:
        (h, w) instances, 0 = none, and the thing class of each.
    """
    things = shares[first:]
    likely = things.sum(axis=0)
    region = likely > shares[:first].sum(axis=0)
    parts = parted(region, boundaries > maps["boundary"], maps["min_area_px"], maps["reach_px"])
    number = int(parts.max())
    best = things.argmax(axis=0)
    votes = np.zeros((number + 1, len(things)), np.int64)
    np.add.at(votes, (parts.ravel(), best.ravel()), 1)
    sure = np.bincount(parts.ravel(), weights=likely.ravel(), minlength=number + 1)
    scores = (sure / np.maximum(votes.sum(axis=1), 1))[1:].astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    numbered = np.zeros(number + 1, np.int64)
    numbered[order + 1] = np.arange(1, number + 1)
    return numbered[parts], votes[1:].argmax(axis=1)[order].tolist()


def parted(
    region: NDArray[np.bool_], boundary: NDArray[np.bool_], min_area_px: int, reach_px: int
) -> Ints:
    """Numbers the parts of a region between boundaries, by falling area of what they end up with.

    A part takes the pixels of the region within its reach, a larger one before a smaller one.
    """
    cores, count = ndimage.label(region & ~boundary)
    areas = np.bincount(cores.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-areas, kind="stable")
    order = order[areas[order] >= max(min_area_px, 1)]
    none = len(order)
    rank_of = np.full(count + 1, none)
    rank_of[order + 1] = np.arange(none)
    rank = rank_of[cores]
    padded = np.pad(rank, reach_px, constant_values=none)
    first = rank.copy()
    for down in range(-reach_px, reach_px + 1):
        for right in range(abs(down) - reach_px, reach_px - abs(down) + 1):
            rows = slice(reach_px + down, reach_px + down + rank.shape[0])
            columns = slice(reach_px + right, reach_px + right + rank.shape[1])
            first = np.minimum(first, padded[rows, columns])
    first = np.where(region, first, none)
    taken = first < rank
    final = areas[order] + np.bincount(first[taken], minlength=none)[:none]
    by_area = np.lexsort((np.arange(none), -areas[order], -final))
    number_of = np.zeros(none + 1, np.int64)
    number_of[by_area] = np.arange(1, none + 1)
    own, taker = number_of[rank], np.where(taken, number_of[first], 0)
    return np.where((own > 0) & (taker > 0), np.minimum(own, taker), np.maximum(own, taker))


def nearest(labels: Ints, size: tuple[int, int]) -> Ints:
    """Takes for each new pixel the label under its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int).clip(max=old - 1)
        for old, new in zip(labels.shape, size, strict=True)
    )
    return labels[rows[:, None], columns[None]]


def bilinear(values: Floats, size: tuple[int, int]) -> Floats:
    """(C, h, w) -> (C, *size), borders of pixels in their place."""
    for axis, new in ((1, size[0]), (2, size[1])):
        old = values.shape[axis]
        at = ((np.arange(new, dtype=np.float32) + 0.5) * (old / new) - 0.5).clip(0)
        low = at.astype(int).clip(max=old - 1)
        share = (at - low).astype(values.dtype).reshape((-1, 1) if axis == 1 else (1, -1))
        high = (low + 1).clip(max=old - 1)
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values
