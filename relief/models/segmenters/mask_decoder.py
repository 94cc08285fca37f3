"""A mask decoder in plain torch: queries, one mask and one class each, and a head of regions.

Queries are anchored: one in every cell of the encoder's coarsest map. Each gives a kernel on
features of pixels and on where a pixel lies from its cell, as in Tian et al., "Conditional
Convolutions for Instance Segmentation", 2020, so that few images teach masks. Queries meet objects
by Hungarian matching (`relief.ops.objects.mask_matching`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.segmenters.embedding_network import Encoder
from relief.models.segmenters.encoders import SmallEncoder
from relief.models.segmenters.frozen_features import FrozenFeatures
from relief.models.segmenters.joining_decoder import joined, joints
from relief.models.segmenters.mask_queries import (
    PLACE_NUMBERS,
    Queries,
    places_of,
    values_at,
)
from relief.models.segmenters.prediction.size import not_finite, resize_logits
from relief.ops.objects.instance_targets import instance_boxes, instance_targets
from relief.ops.objects.mask_matching import dice_loss, match_masks
from relief.ops.resize import resize_nearest
from relief.schema.label_spaces import VOID
from relief.schema.training import Detections, SegmenterPrediction, TrainingBatch, TrainingMoment

_MEAN, _DEVIATION = 0.45, 0.25  # of colours, roughly
_GROUPS = 8  # of group norm
_MASK_WEIGHT = 5.0  # of cross entropy and of dice, beside 2 for classes
_CLASS_WEIGHT = 2.0
_NO_OBJECT = 0.1  # weight of queries without an object
_INSIDE = 0.5  # least probability of a pixel of a mask


class MaskDecoder(nn.Module):
    """An encoder beside frozen features, regions pixel by pixel, and anchored queries for objects.

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included where things are apart.
        features: Any backbone of `label.py`; frozen, and read from its own file again.
        dim: Channels of the features; what the backbone says unless given.
        magnification: The features see the image so many times as large.
        encoder: See `Encoder`; `SmallEncoder()` unless given.
        widths: Channels of the decoder, see `joints`.
        guide_width: Channels that the features are brought to beside the encoder's coarsest map.
        mask_width: Channels of pixels that kernels look at.
        points: Points of an image on which masks are compared and taught.
        score_threshold: Least probability of a query's class.
        detections_per_image: At most so many queries are objects.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        features: nn.Module,
        dim: int | None = None,
        magnification: float = 1.0,
        encoder: nn.Module | None = None,
        widths: Sequence[int] = (96, 64, 48),
        guide_width: int = 64,
        mask_width: int = 16,
        points: int = 1024,
        score_threshold: float = 0.3,
        detections_per_image: int = 100,
    ) -> None:
        super().__init__()
        self.num_things, self.points = num_things, points
        self.score_threshold, self.detections_per_image = score_threshold, detections_per_image
        self.frozen = FrozenFeatures(features, magnification).held_by(self)
        self.encoder = encoder if encoder is not None else SmallEncoder()
        channels = list(cast(Encoder, self.encoder).channels)
        channels[-1] += guide_width
        self.joints = joints(channels, widths)
        dim, classes = dim or self.frozen.backbone.dim, 1 + num_regions
        self.guide = nn.Conv2d(dim, guide_width, 1)
        self.regions_of_features = nn.Conv2d(dim, classes, 1)
        self.regions = nn.Conv2d(widths[-1], classes, 1)
        self.pixels = nn.Conv2d(widths[-1], mask_width, 1)
        self.tower = nn.Sequential(
            nn.Conv2d(channels[-1], widths[0], 3, padding=1, bias=False),
            nn.GroupNorm(_GROUPS, widths[0]),
            nn.ReLU(inplace=True),
        )
        self.classes = nn.Conv2d(widths[0], num_things + 1, 1)
        self.kernels = nn.Conv2d(widths[0], mask_width + PLACE_NUMBERS + 1, 1)

    def setup(self) -> None:
        """Loads the weights of the frozen features and the encoder; raises `WeightsError`."""
        self.frozen.backbone.setup()
        load = getattr(self.encoder, "setup", None)
        if load is not None:
            load()

    def see(self, image: Tensor) -> tuple[Tensor, Queries]:
        """(B, 3, H, W) float32 in [0, 1] -> logits (B, 1 + regions, h, w), and the queries."""
        seen = F.normalize(self.frozen(image), dim=1) * self.guide.in_channels**0.5
        *fine, coarsest = self.encoder((image - _MEAN) / _DEVIATION)
        guide = resize_logits(F.relu(self.guide(seen)), _size(coarsest))
        beside = torch.cat((coarsest, guide), dim=1)
        last = list(joined(self.joints, [*fine, beside]))[-1]
        logits = self.regions(last) + resize_logits(self.regions_of_features(seen), _size(last))
        tower = self.tower(beside)
        queries = Queries(
            self.classes(tower).flatten(2).transpose(1, 2).float(),
            self.kernels(tower).flatten(2).transpose(1, 2).float(),
            places_of(_size(tower), tower).flatten(0, 1),
            self.pixels(last).float(),
        )
        return logits.float(), queries

    def forward(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """Cross entropies of regions and of classes of queries, and both losses of masks."""
        del moment
        logits, queries = self.see(batch["image"])
        targets = resize_nearest(batch["semantic"], _size(logits))
        known = (targets != VOID).sum().clamp(min=1)
        regions = F.cross_entropy(logits, targets, ignore_index=VOID, reduction="sum") / known
        taught = torch.full(queries.class_logits.shape[:2], self.num_things, device=logits.device)
        entropies, dices = [], []
        for index, classes in enumerate(batch["classes"]):
            objects = instance_targets(batch["instance"][index], classes)
            where = self._drawn(objects["boxes"], batch["image"])
            masks = values_at(objects["masks"].float(), where).gt(0.5).float()
            found = queries.mask_logits(index, values_at(queries.pixels[index], where), where)
            if len(masks) > found.shape[0]:  # more objects than cells: the first ones are taught
                masks, classes = masks[: found.shape[0]], classes[: found.shape[0]]
            chosen, of = match_masks(queries.class_logits[index], found, classes, masks)
            taught[index, chosen] = classes[of]
            entropies.append(
                F.binary_cross_entropy_with_logits(found[chosen], masks[of], reduction="none")
            )
            dices.append(dice_loss(found[chosen], masks[of]))
        weight = logits.new_ones(self.num_things + 1)
        weight[-1] = _NO_OBJECT
        number = max(1, sum(len(one) for one in dices))
        named = F.cross_entropy(queries.class_logits.transpose(1, 2), taught, weight)
        return {
            "loss_semantic": regions,
            "loss_class": _CLASS_WEIGHT * named,
            "loss_mask": _MASK_WEIGHT * torch.cat(entropies).sum() / (number * self.points),
            "loss_dice": _MASK_WEIGHT * torch.cat(dices).sum() / number,
        }

    def _drawn(self, boxes: Tensor, image: Tensor) -> Tensor:
        """(P, 2) points x, y in [-1, 1]: half of them anywhere, half in boxes of objects."""
        height, width = image.shape[-2:]
        drawn = torch.rand(self.points, 2, device=image.device)
        if len(boxes):
            half = self.points // 2
            box = boxes[torch.randint(len(boxes), (half,), device=image.device)]
            corner, sides = box[:, :2], box[:, 2:] - box[:, :2] + 1
            inside = corner + sides * (1.3 * drawn[:half] - 0.15)
            drawn[:half] = (inside / inside.new_tensor((width, height))).clamp(0, 1)
        return 2 * drawn - 1

    @torch.no_grad()
    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """Regions and objects: a pixel goes to the query of the highest score times mask.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of masks and logits; the image's unless given.

        Raises:
            ReadError: What is seen is not finite.
        """
        size = size or (image.shape[-2], image.shape[-1])
        modes = {module: module.training for module in self.modules()}
        try:
            logits, queries = self.eval().see(image)
        finally:
            for module, mode in modes.items():
                module.training = mode
        if not (torch.isfinite(logits).all() and torch.isfinite(queries.kernels).all()):
            raise not_finite()
        objects = [self._objects(queries, index, size) for index in range(len(image))]
        return SegmenterPrediction(semantic_logits=resize_logits(logits, size), detections=objects)

    def _objects(self, queries: Queries, index: int, size: tuple[int, int]) -> Detections:
        """Objects of one image at a size; what others cover by more than half is none."""
        pixels = queries.pixels[index]
        likely, classes = queries.class_logits[index].softmax(dim=1)[:, :-1].max(dim=1)
        best = likely.argsort(descending=True, stable=True)[: self.detections_per_image]
        best = best[likely[best] >= self.score_threshold]
        height, width = _size(pixels)
        places = places_of((height, width), pixels).flatten(0, 1)
        shares = queries.mask_logits(index, pixels.flatten(1), places, best).sigmoid()
        inside = shares > _INSIDE
        sure = (shares * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
        scores = likely[best] * sure
        instance = torch.zeros(height * width, dtype=torch.int64, device=pixels.device)
        if len(best):
            most, owner = (scores[:, None] * shares * inside).max(dim=0)
            instance = torch.where(most > 0, owner + 1, 0)
        left = instance.bincount(minlength=len(best) + 1)[1:]
        at_size = resize_nearest(instance.view(height, width), size)
        boxes = instance_boxes(at_size, len(best))
        order = scores.argsort(descending=True, stable=True)
        order = order[((2 * left >= inside.sum(dim=1)) & (boxes[:, 2] > 0))[order]]
        return Detections(
            masks=at_size[None] == (order + 1)[:, None, None],
            boxes=boxes[order],
            classes=classes[best][order],
            scores=scores[order],
        )


def _size(values: Tensor) -> tuple[int, int]:
    return values.shape[-2], values.shape[-1]
