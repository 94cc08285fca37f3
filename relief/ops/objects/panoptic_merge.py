"""One panoptic map from overlapping detections and a semantic map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relief.schema.label_spaces import VOID
from relief.schema.training import THING_REGION, Detections, DetectorClasses

STUFF_AREA_AT_PX = 1024 * 2048
"""Pixels of the image at which `stuff_area_px` is meant."""


@dataclass(frozen=True, kw_only=True)
class MergeLimits:
    """Limits of what a panoptic map takes, as published.

    Attributes:
        score_threshold: Detections with a lower score are left out.
        overlap_threshold: ... and those of which more than this share is covered by better ones.
        stuff_area_px: Stuff with fewer pixels is left void; meant at 1024x2048, scaled to the map.
    """

    score_threshold: float = 0.5
    overlap_threshold: float = 0.5
    stuff_area_px: float = 4096


PUBLISHED_LIMITS = MergeLimits()


def merge_panoptic(
    semantic: Tensor,
    detections: Detections,
    classes: DetectorClasses,
    limits: MergeLimits = PUBLISHED_LIMITS,
) -> Tensor:
    """Paints the detections by falling score, then stuff where nothing was painted.

    The rule of panopticapi's and detectron2's combination; the area limit follows the image.

    Args:
        semantic: (H, W) int64, 0 = things, j + 1 = stuff class j, then regions of things.
        detections: Objects of the same image.
        classes: Turns the detector's classes into category ids.
        limits: What is left out.

    Returns:
        (H, W, 2) int64 (category id, instance): objects have instances 1, 2, ..., stuff has 0
        and so have regions of things where they are told apart; the rest is (-1, 0).
    """
    device = semantic.device
    category = torch.full_like(semantic, VOID)
    instance = torch.zeros_like(semantic)
    things = torch.tensor(classes.things, dtype=torch.int64, device=device)
    number = 0
    for index in torch.argsort(detections["scores"], descending=True, stable=True).tolist():
        if float(detections["scores"][index]) < limits.score_threshold:
            break
        mask = detections["masks"][index]
        free = mask & (instance == 0)
        area, free_area = int(mask.sum()), int(free.sum())
        if area == 0 or free_area == 0 or (area - free_area) / area > limits.overlap_threshold:
            continue
        number += 1
        instance[free] = number
        category[free] = things[detections["classes"][index]]
    of_region = classes.category_of_region().to(device)
    region = torch.where(instance == 0, semantic, THING_REGION)
    area_of_region = torch.bincount(region.flatten(), minlength=len(of_region))
    of_region[area_of_region < limits.stuff_area_px * semantic.numel() / STUFF_AREA_AT_PX] = VOID
    category = torch.where(instance == 0, of_region[region], category)
    return torch.stack((category, instance), dim=-1)


def instance_scores(instance: Tensor, detections: Detections) -> Tensor:
    """Looks up how sure a detector is of the objects of a map.

    Args:
        instance: (H, W) int64, 0 = none, 1..N.
        detections: Objects of the same image, which the map was made of.

    Returns:
        (N,) float32: the score of the detection that shares most with the object, by IoU; 0 where
        none shares a pixel.
    """
    number = int(instance.max()) if instance.numel() else 0
    scores = detections["scores"].float()
    if not number or not len(scores):
        return scores.new_zeros(number)
    masks = detections["masks"].flatten(1).float()
    objects = torch.nn.functional.one_hot(instance.flatten(), number + 1)[:, 1:].float()
    shared = masks @ objects
    union = masks.sum(dim=1)[:, None] + objects.sum(dim=0)[None] - shared
    best, index = (shared / union.clamp(min=1)).max(dim=0)
    return torch.where(best > 0, scores[index], 0.0)
