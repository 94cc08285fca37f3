"""Normalized cut of a graph of patches, and MaskCut: one object after the other.

Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023;
Shi and Malik, "Normalized cuts and image segmentation", 2000. Flat indices are row * w + column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.cuts.patch_graph import (
    Floats,
    PatchGraph,
    binarised,
    binary_affinity,
    cosines,
    eigenpair,
    has_objects,
    refuse_not_finite,
    second_eigenvector,
)
from relief.ops.splitting.components import label_components

__all__ = [
    "Bisection",
    "FoundMask",
    "binary_affinity",
    "bisect",
    "foreground_side",
    "iterate",
    "mask_cut",
    "second_eigenvector",
]

Reversal = Literal["corners_first", "peak_only"]
Mask = NDArray[np.bool_]

_CORNERS = 3  # of the four, that make a side the background
_SAME_IOU = 0.5
LEAST_SHARE = 0.01


def foreground_side(
    vector: Tensor, size: tuple[int, int], reversal: Reversal = "corners_first"
) -> tuple[Tensor, int, int]:
    """Which side of the cut is the object.

    One side is what lies above the mean. With the entry of largest absolute value positive, it is
    the background if it holds three corners of the grid, or (`peak_only`: only) if it does not hold
    that entry.

    Args:
        vector: (N,) of any sign.
        size: (h, w) of the grid.
        reversal: `corners_first` is MaskCut's rule made free of the sign, `peak_only` TokenCut's.

    Returns:
        foreground (h, w) bool, and flat indices of the source and the sink: where the vector,
        turned so that the foreground is positive, is greatest and least.
    """
    values = vector.detach().double()
    values = values * torch.sign(values[values.abs().argmax()])
    above = values > values.mean()
    grid = above.reshape(size)
    corners = int(grid[[0, 0, -1, -1], [0, -1, 0, -1]].sum())
    reverse = reversal == "corners_first" and corners >= _CORNERS  # the peak lies above the mean
    oriented = -values if reverse else values
    foreground = ~grid if reverse else grid
    return foreground, int(oriented.argmax()), int(oriented.argmin())


@dataclass(frozen=True)
class Bisection:
    """One normalized cut of an image.

    Attributes:
        vector: (N,) float64, as `second_eigenvector`; painted patches from their formula.
        foreground: (h, w) bool.
        source: Flat index of the foreground's greatest entry.
        sink: Flat index of the least entry.
        exhausted: The source is a painted patch: nothing is left to be found.
    """

    vector: Floats
    foreground: Mask
    source: int
    sink: int
    exhausted: bool


def bisect(
    affinity: Tensor, painted: Mask, eps: float = 1e-5, reversal: Reversal = "corners_first"
) -> Bisection:
    """Cuts the graph of an image once.

    Painted patches are like nothing, not even themselves. Their entry of the vector follows from
    the others, mean(x) / (1 - lambda); it is set from that formula, because solvers leave rounding
    there.

    Args:
        affinity: (N, N) float64, symmetric.
        painted: (h, w) patches of objects that were found before.
        eps: The weight of all their edges.
        reversal: See `foreground_side`.
    """
    kept = (~painted.reshape(-1)).astype(np.float64)
    eigenvalue, vector = eigenpair(PatchGraph(affinity.cpu().numpy(), kept, eps))
    with np.errstate(divide="ignore", invalid="ignore"):  # all is painted: the peak is, too
        vector[kept == 0] = vector.mean() / (1 - eigenvalue)
    size = (painted.shape[0], painted.shape[1])
    foreground, source, sink = foreground_side(torch.from_numpy(vector), size, reversal)
    return Bisection(vector, foreground.numpy(), source, sink, bool(kept[source] == 0))


def component_of(mask: Mask, source: int) -> Mask:
    """The 4-connected component of a mask (h, w) that holds a flat index."""
    components, _ = label_components(mask)
    return np.asarray(mask & (components == components.reshape(-1)[source]))


@dataclass(frozen=True)
class FoundMask:
    """One iteration of MaskCut or CutS3D.

    Attributes:
        bisection: The cut of the graph.
        mask: (h, w) the object before earlier ones are subtracted; empty where it was dropped.
    """

    bisection: Bisection
    mask: Mask


def iterate(
    affinity: Tensor,
    size: tuple[int, int],
    num_masks: int,
    object_of: Callable[[Bisection, Mask], Mask],
    reversal: Reversal = "corners_first",
    *,
    eps: float = 1e-5,
    repeat_dropped: bool = True,
    least_share: float = LEAST_SHARE,
) -> list[FoundMask]:
    """Cuts, takes an object, paints it, and cuts again.

    From the second iteration on an object is dropped that has an IoU above 0.5 with the one of the
    iteration before, or at most `least_share` of the patches. A dropped object paints nothing, so
    that the next iteration finds it again and keeps it, as published.

    Args:
        affinity: (N, N) float64, as `binarised` gives it.
        size: (h, w) of the grid.
        num_masks: Iterations.
        object_of: From a cut and what is painted to the object (h, w) that holds its source.
        reversal: See `foreground_side`.
        eps: Weight of the edges of painted patches.
        repeat_dropped: `False` stops at the first dropped object.
        least_share: Of the patches; 1 % as published. An object below it is found again in every
            iteration that follows, so that nothing else is.
    """
    painted, previous = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    found: list[FoundMask] = []
    for iteration in range(num_masks):
        bisection = bisect(affinity, painted, eps, reversal)
        if bisection.exhausted:
            break
        mask = object_of(bisection, painted)
        if iteration and _is_dropped(mask, previous, least_share):
            mask = np.zeros(size, np.bool_)
            if not repeat_dropped:
                break
        found.append(FoundMask(bisection, mask))
        painted, previous = painted | mask, mask
    return found


def _is_dropped(mask: Mask, previous: Mask, least_share: float) -> bool:
    union = (mask | previous).sum()
    iou = (mask & previous).sum() / union if union else 0.0
    return bool(iou > _SAME_IOU or mask.mean() <= least_share)


def without_earlier(masks: list[Mask]) -> list[Mask]:
    """Each mask without the pixels of all masks before it."""
    apart: list[Mask] = []
    for mask in masks:
        apart.append(mask & ~np.any(apart, axis=0) if apart else mask)
    return apart


def mask_cut(
    features: Tensor,
    threshold: float = 0.15,
    num_masks: int = 3,
    reversal: Reversal = "corners_first",
    *,
    eps: float = 1e-5,
    repeat_dropped: bool = True,
) -> Tensor:
    """Finds up to `num_masks` objects in the features of one image, as MaskCut before its CRF.

    Args:
        features: (C, h, w) float of h * w patches; any grid.
        threshold: See `binary_affinity`.
        num_masks: Iterations.
        reversal: See `foreground_side`.
        eps: See `binary_affinity`.
        repeat_dropped: See `iterate`.

    Returns:
        (num_masks, h, w) bool, none in two masks; empty where an iteration found nothing.

    Raises:
        ReadError: The features are not finite.
    """
    refuse_not_finite(features)
    size = (features.shape[1], features.shape[2])
    similarity = cosines(features)
    masks = np.zeros((num_masks, *size), np.bool_)
    if has_objects(similarity, size):
        found = iterate(
            binarised(similarity, threshold, eps),
            size,
            num_masks,
            lambda cut, _: component_of(cut.foreground, cut.source),
            reversal,
            eps=eps,
            repeat_dropped=repeat_dropped,
        )
        for index, mask in enumerate(without_earlier([one.mask for one in found])):
            masks[index] = mask
    return torch.from_numpy(masks)
