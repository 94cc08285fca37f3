"""CutS3D: objects of one image from features and depth, each with how sure it is at every patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.cuts.local_cut import (
    Capacity,
    CutRule,
    cut_distances,
    neighbour_graph,
    point_cloud,
)
from relief.ops.cuts.normalized_cut import (
    LEAST_SHARE,
    Bisection,
    Reversal,
    component_of,
    iterate,
    without_earlier,
)
from relief.ops.cuts.patch_graph import binarised, cosines, has_objects, refuse_not_finite
from relief.ops.cuts.spatial_importance import (
    Direction,
    Pairing,
    exponents,
    sharpen,
    spatial_importance,
)
from relief.ops.objects.panoptic_map import resize_depth

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CutSettings:
    """The numbers and readings of CutS3D; what its authors did not publish is an option.

    Attributes:
        threshold: Of the similarity, see `binary_affinity`.
        eps: See `binary_affinity`.
        binarise: See `binarised`.
        reversal: See `foreground_side`.
        repeat_dropped: See `iterate`.
        least_share: See `iterate`.
        importance: Whether similarities are sharpened where depth has edges.
        sigma: See `spatial_importance`.
        beta: See `spatial_importance`.
        pairing: See `sharpen`.
        direction: See `sharpen`.
        threshold_means: `sharpened`: the threshold is on sharpened similarities; `flat`: it keeps
            its meaning where depth is flat.
        foreground: What LocalCut cuts: the whole `side`, or its 2-D `component` with the source.
        exclude_taken: Whether patches of earlier objects are background.
        background_depth: See `point_cloud`.
        background: See `local_cut`.
        neighbours: See `local_cut`.
        max_distance: See `local_cut`.
        min_distance: See `spatial_confidence`.
        cuts: See `spatial_confidence`.
        cut: See `local_cut`.
        capacity: See `local_cut`.
    """

    threshold: float = 0.15
    eps: float = 1e-5
    binarise: bool = True
    reversal: Reversal = "corners_first"
    repeat_dropped: bool = True
    least_share: float = LEAST_SHARE
    importance: bool = True
    sigma: float = 3.0
    beta: float = 0.45
    pairing: Pairing = "mean"
    direction: Direction = "lift"
    threshold_means: Literal["sharpened", "flat"] = "sharpened"
    foreground: Literal["side", "component"] = "side"
    exclude_taken: bool = False
    background_depth: float = 1.0
    background: bool = True
    neighbours: int = 10
    max_distance: float = 0.115
    min_distance: float = 0.0575
    cuts: int = 6
    cut: CutRule = "min_cut"
    capacity: Capacity = "falling"


def extract(
    features: Tensor,
    depth: Tensor | None,
    num_masks: int = 3,
    settings: CutSettings = CutSettings(),  # frozen
) -> tuple[Tensor, Tensor]:
    """Finds up to `num_masks` objects of one image; no CRF.

    Args:
        features: (C, h, w) float of h * w patches.
        depth: (h, w) or (H, W) float, 0 near; brought to the grid bilinearly. `None`: MaskCut,
            all objects are sure.
        num_masks: Iterations.
        settings: Numbers and readings.

    Returns:
        Masks (n, h, w) bool of the n <= `num_masks` objects that are left, none in two masks, and
        their confidence (n, h, w) float64 in [0, 1], 0 outside the mask. A constant image, or one
        of fewer than 16 patches, has none.

    Raises:
        ReadError: The features or the depth are not finite.
    """
    refuse_not_finite(features)
    size = (features.shape[1], features.shape[2])
    similarity = cosines(features)
    nothing = torch.zeros((0, *size), dtype=torch.bool), torch.zeros((0, *size)).double()
    if not has_objects(similarity, size):
        return nothing
    on_grid = None if depth is None else depth_on_grid(depth, size)
    cutter = _Cutter(on_grid, settings)
    threshold, importance = cutter.threshold_and_importance()

    if importance is not None:
        similarity = sharpen(similarity, importance, settings.pairing, settings.direction)
    found = iterate(
        binarised(similarity, threshold, settings.eps, binarise=settings.binarise),
        size,
        num_masks,
        cutter.object_of,
        settings.reversal,
        eps=settings.eps,
        repeat_dropped=settings.repeat_dropped,
        least_share=settings.least_share,
    )
    apart = without_earlier([one.mask for one in found])
    kept = [(mask, cutter.confidence[index]) for index, mask in enumerate(apart) if mask.any()]
    if not kept:
        return nothing
    masks = torch.from_numpy(np.stack([mask for mask, _ in kept]))
    confidence = torch.stack([sure for _, sure in kept])
    return masks, confidence * masks


def depth_on_grid(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Depth (H, W) on the grid of patches (h, w), float64, bilinear; raises `ReadError`."""
    refuse_not_finite(depth)
    values = depth.detach().double().reshape(1, 1, *depth.shape[-2:])
    return resize_depth(values, size)[0, 0]


class _Cutter:
    """Takes the object that holds the source out of each bisection, and keeps how sure it is."""

    def __init__(self, depth: Tensor | None, settings: CutSettings) -> None:
        self.depth, self.settings = depth, settings
        self.confidence: list[Tensor] = []

    def threshold_and_importance(self) -> tuple[float, Tensor | None]:
        settings = self.settings
        if self.depth is None or not settings.importance:
            return settings.threshold, None
        importance = spatial_importance(self.depth, settings.sigma, settings.beta)
        if settings.threshold_means == "sharpened":
            return settings.threshold, importance
        flat = torch.full((1,), settings.beta, dtype=torch.float64)
        power = float(exponents(flat, settings.pairing, settings.direction))
        return settings.threshold**power, importance

    def object_of(self, bisection: Bisection, painted: Mask) -> Mask:
        """(h, w) the object; its confidence is kept in the order of the iterations."""
        settings = self.settings
        side = bisection.foreground & ~painted if settings.exclude_taken else bisection.foreground
        part = component_of(side, bisection.source)
        if self.depth is None:
            self.confidence.append(torch.from_numpy(part).double())
            return part
        foreground = torch.from_numpy(part if settings.foreground == "component" else side)
        points = point_cloud(self.depth, foreground, settings.background_depth)
        graph = neighbour_graph(
            points,
            foreground,
            settings.neighbours,
            settings.max_distance,
            background=settings.background,
        )
        distances = cut_distances(settings.min_distance, settings.max_distance, settings.cuts)
        ends = (bisection.source, bisection.sink)
        masks = [graph.cut(*ends, tau, settings.cut, settings.capacity) for tau in distances]
        size = foreground.shape
        self.confidence.append(torch.from_numpy(np.mean(masks, axis=0).reshape(size)))
        return masks[-1].reshape(size)
