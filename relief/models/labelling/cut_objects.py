"""Objects of one image by cutting: from patches to masks at the image's own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from scipy.ndimage import binary_fill_holes
from torch import Tensor, nn

from relief.models.labelling.refined_segmentation import Refiner
from relief.ops.cuts.cut_3d import CutSettings, extract
from relief.ops.lanczos import resize_lanczos
from relief.ops.resize import resize_nearest
from relief.ops.sliding_window import network_size
from relief.schema.parts import Backbone

_SAME_AFTER_REFINING = 0.5  # IoU: a mask that the refiner turns into another one is dropped
OBJECT, VOID_PAIR = 0, (-1, 0)


@dataclass(frozen=True)
class CutObjects:
    """The objects of one image.

    Attributes:
        instance: (H, W) int64, 0 = none, 1..n in the order in which they were found.
        confidence: (H, W) float32 in [0, 1], 0 outside objects.
        scores: Mean confidence of each object by its id.
        features: (C, h, w) of the patches that were cut.
    """

    instance: Tensor
    confidence: Tensor
    scores: dict[int, float]
    features: Tensor


def network_image(image: Tensor, size_px: tuple[int, int] | int, patch_px: int) -> Tensor:
    """Brings an image (3, H, W) to the size at which it is cut, in whole patches.

    Args:
        image: float32 in [0, 1].
        size_px: (height, width) whatever the aspect, as published; or the short side of an image
            that keeps its aspect. Rounded down to whole patches.
        patch_px: Of the backbone.

    Returns:
        (1, 3, h, w).
    """
    if isinstance(size_px, int):
        size = network_size((image.shape[-2], image.shape[-1]), size_px, patch_px)
    else:
        size = network_size(size_px, min(size_px), patch_px)
    return resize_lanczos(image[None], size)


@torch.no_grad()
def cut_objects(
    backbone: nn.Module,
    image: Tensor,
    depth: Tensor | None,
    *,
    size_px: tuple[int, int] | int = (480, 480),
    num_masks: int = 3,
    settings: CutSettings = CutSettings(),  # noqa: B008  # frozen
    refiner: Refiner | None = None,
) -> CutObjects:
    """Finds the objects of an image, without classes.

    Args:
        backbone: Fits `Backbone`, set up.
        image: (3, H, W) float32 in [0, 1].
        depth: (1, 1, h, w) float in [0, 1], 0 near; `None` for MaskCut.
        size_px: See `network_image`.
        num_masks: At most so many objects.
        settings: Of the cut.
        refiner: Draws borders to the image at `size_px`; holes are filled afterwards, and a mask
            that it turns into another one is dropped.

    Raises:
        ReadError: Features or depth are not finite.
    """
    part = cast(Backbone, backbone)
    seen = network_image(image, size_px, part.patch_px)
    at_grid = None if depth is None else depth[0, 0]
    masks, confidence = extract(features := part(seen)[0], at_grid, num_masks, settings)
    if refiner is not None and len(masks):
        masks = torch.stack([_refined(mask, seen[0], refiner) for mask in masks])
    size = (image.shape[-2], image.shape[-1])
    instance, sure, scores = painted(masks, confidence, size)
    return CutObjects(instance, sure, scores, features)


def painted(
    masks: Tensor, confidence: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, dict[int, float]]:
    """Enlarges objects to an image, each where none before it is; empty ones are left out.

    Args:
        masks: (n, h', w') bool of any size.
        confidence: (n, h, w) float in [0, 1].
        size: (height, width) of the image.

    Returns:
        `instance`, `confidence` and `scores` of `CutObjects`.
    """
    instance = torch.zeros(size, dtype=torch.int64)
    sure = torch.zeros(size)
    scores: dict[int, float] = {}
    for mask, certain in zip(masks, confidence, strict=True):
        inside = resize_nearest(mask, size) & (instance == 0)
        if not bool(inside.any()):
            continue
        number = len(scores) + 1
        own = torch.where(inside, resize_nearest(certain.float(), size), 0.0)
        instance = instance.masked_fill(inside, number)
        sure = torch.where(inside, own, sure)
        scores[number] = float(own[inside].mean())
    return instance, sure, scores


def _refined(mask: Tensor, image: Tensor, refiner: Refiner) -> Tensor:
    """A mask (h, w) of patches with borders of the image (3, H, W); empty where it is another."""
    large = resize_nearest(mask, (image.shape[-2], image.shape[-1]))
    logits = torch.stack((~large, large)).float()
    probabilities = refiner.refine(logits.softmax(dim=0).to(image), image)
    drawn = torch.from_numpy(binary_fill_holes((probabilities.argmax(dim=0) == 1).cpu().numpy()))
    shared, union = int((large & drawn).sum()), int((large | drawn).sum())
    return drawn if shared >= _SAME_AFTER_REFINING * union else torch.zeros_like(drawn)
