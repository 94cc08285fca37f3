"""Objects of one image of the batch pasted onto another, as class-agnostic detectors train.

Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023; how
sure the labels are, as in Sick et al., "CutS3D", 2024.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.models.augmentations.geometric import resized
from relief.ops.mask_training.mask_confidence import alpha, mean_confidence, select_confident
from relief.ops.objects.instance_targets import instance_targets, tidy_instances
from relief.schema.pixel_maps import pixel_maps
from relief.schema.ranges import check_at_least
from relief.schema.training import (
    THING_REGION,
    Augmentation,
    DetectorClasses,
    TrainingBatch,
    TrainingMoment,
)

_COVERED = 0.5  # of an object: what would cover so much of one is not pasted


class PairedCopyPaste(Augmentation):
    """Image number i of a batch of n receives objects of image n - 1 - i, all shrunk alike.

    One object of one, else 1 to n - 1 of n objects, drawn without replacement; the picture they
    come from is brought to a share of the receiving one and laid down at a random place. An object
    that would cover half of one that is there, or more, is left out; objects that are covered lose
    the covered pixels.

    Args:
        rate: How often an image receives anything.
        scale: Range of the share of the image's sides.
        copied_fraction: Only the surest objects of an image are copied, this share of them; 1
            copies any, and asks for no confidence.
        blends: Pastes objects as opaque as the labels are sure of them.
        floor: Least opacity inside an object.

    Raises:
        UsageError: A number is out of its range.
    """

    def __init__(
        self,
        rate: float = 1.0,
        scale: tuple[float, float] = (0.3, 1.0),
        copied_fraction: float = 1.0,
        blends: bool = False,
        floor: float = 0.5,
    ) -> None:
        check_at_least(0, rate=rate, floor=floor, copied_fraction=copied_fraction)
        self.rate, self.scale = rate, scale
        self.copied_fraction, self.blends, self.floor = copied_fraction, blends, floor

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """Returns the batch with objects pasted; the one given stays as it is."""
        kinds = pixel_maps(batch)
        pasted: dict[str, Any] = {**batch, "classes": list(batch["classes"])}
        pasted |= {name: pasted[name].clone() for name in kinds}
        number = len(batch["image"])
        for index in range(number):
            source = number - 1 - index
            if source != index and float(torch.rand(())) < self.rate:
                self._receive(pasted, index, batch, source, moment.classes)
        return tidy_instances(cast(TrainingBatch, pasted))

    def _receive(
        self,
        pasted: dict[str, Any],
        index: int,
        batch: TrainingBatch,
        source: int,
        known: DetectorClasses | None,
    ) -> None:
        targets = instance_targets(batch["instance"][source], batch["classes"][source])
        sure = batch["confidence"][source] if "confidence" in batch else None
        chosen = self._chosen(targets["masks"], sure)
        if not len(chosen):
            return
        height, width = batch["image"].shape[-2:]
        low, high = self.scale
        share = low + (high - low) * float(torch.rand(()))
        size = max(1, round(height * share)), max(1, round(width * share))
        top = int(torch.randint(height - size[0] + 1, ()))
        left = int(torch.randint(width - size[1] + 1, ()))
        place = (..., slice(top, top + size[0]), slice(left, left + size[1]))
        layers = targets["masks"][chosen].float()[:, None]
        masks = F.interpolate(layers, size, mode="bilinear", align_corners=False)[:, 0] > 0
        there = pasted["instance"][index][place]
        free = [self._is_free(mask, there, pasted["instance"][index]) for mask in masks]
        masks, chosen = masks[free], chosen[free]
        if not len(masks):
            return
        opacity = masks.any(dim=0).float()
        if self.blends and sure is not None:
            small = resized(sure[None], "weights", size)
            opacity = alpha(masks, small.expand_as(masks), self.floor)
        self._lay(pasted, index, batch, source, place, opacity)
        self._number(pasted, index, masks, targets["classes"][chosen], place, known)

    def _chosen(self, masks: Tensor, sure: Tensor | None) -> Tensor:
        """Draws the numbers of the objects that are copied."""
        numbers = torch.arange(len(masks), device=masks.device)
        if self.copied_fraction < 1 and sure is not None:
            scores = mean_confidence(masks, sure.expand(masks.shape))
            numbers = select_confident(scores, self.copied_fraction)
        count = len(numbers)
        if count > 1:
            count = int(torch.randint(1, count, ()))
        return numbers[torch.randperm(len(numbers))[:count].to(numbers.device)]

    def _is_free(self, mask: Tensor, there: Tensor, instance: Tensor) -> bool:
        """Returns whether a mask covers less than half of every object."""
        if not mask.any():
            return False
        count = int(instance.max()) + 1
        covered = torch.bincount(there[mask], minlength=count)[1:]
        area = torch.bincount(instance.flatten(), minlength=count)[1:]
        return not bool((covered >= _COVERED * area.clamp(min=1)).any())

    def _lay(
        self,
        pasted: dict[str, Any],
        index: int,
        batch: TrainingBatch,
        source: int,
        place: tuple[Any, ...],
        opacity: Tensor,
    ) -> None:
        """Lays all maps but regions and numbers over those that are there."""
        entries: dict[str, Any] = {**batch}
        covers = opacity > 0
        size = (covers.shape[0], covers.shape[1])
        for name, kind in pixel_maps(batch).items():
            if name in ("semantic", "instance"):
                continue
            values = resized(entries[name][source][None], kind, size)[0]
            part = pasted[name][index][place]
            if kind == "image":
                mixed = opacity * values + (1 - opacity) * part
                part.copy_(mixed.clamp(0.0, 1.0))
            else:
                part.copy_(torch.where(covers, values, part))

    def _number(
        self,
        pasted: dict[str, Any],
        index: int,
        masks: Tensor,
        classes: Tensor,
        place: tuple[Any, ...],
        known: DetectorClasses | None,
    ) -> None:
        for mask, thing in zip(masks, classes, strict=True):
            own = pasted["classes"][index]
            pasted["classes"][index] = torch.cat((own, thing[None].to(own)))
            pasted["instance"][index][place].masked_fill_(mask, len(own) + 1)
            region = THING_REGION if known is None else int(known.region_of_thing()[int(thing)])
            pasted["semantic"][index][place].masked_fill_(mask, region)
