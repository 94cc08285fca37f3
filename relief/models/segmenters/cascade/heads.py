"""Three box stages over the proposals, with DropLoss, and safe under mixed precision.

DropLoss lets the detector find what its labels miss: a proposal that overlaps no labelled box is
not taught to be background (Wang et al., "Cut and Learn for Unsupervised Object Detection and
Instance Segmentation", 2023).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relief.models.segmenters.cascade.detectron2_parts import (
    Boxes,
    CascadeROIHeads,
    EventStorage,
    Instances,
    StandardRPNHead,
    select_foreground_proposals,
)
from relief.ops.mask_training.drop_loss import drop_loss_weights
from relief.ops.mask_training.mask_confidence import (
    Normalise,
    roi_targets,
    roi_weights,
    soft_mask_loss,
)


@dataclass(frozen=True)
class SoftMasks:
    """How the confidence of a label weighs its mask loss, cell by cell; see `roi_weights`.

    Attributes:
        floor: Least weight inside a mask.
        outside: Weight outside of it.
        normalise: Mean over the cells, or over the sum of the weights.
    """

    floor: float = 0.5
    outside: float = 1.0
    normalise: Normalise = "cells"


def drop_loss(scores: Tensor, classes: Tensor, counted: Tensor) -> Tensor:
    """Mean cross entropy over all proposals, zero for those that are not counted.

    Args:
        scores: (R, C + 1) logits, the last column is background.
        classes: (R,) int64 in 0..C.
        counted: (R,) 1 or 0, see `drop_loss_weights`.
    """
    if len(classes) == 0:
        return scores.sum() * 0.0
    each = F.cross_entropy(scores, classes, reduction="none")
    return (each * counted).mean()


class FloatRPNHead(StandardRPNHead):
    """The published proposal head, its outputs in float32: suppression refuses mixed types."""

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Feature maps (B, C, h, w) -> objectness and box deltas per map, float32."""
        objectness, deltas = super().forward(features)
        return [level.float() for level in objectness], [level.float() for level in deltas]


class DropLossCascade(CascadeROIHeads):
    """detectron2's cascade heads with DropLoss on the classification of every stage.

    All labelled boxes of each image count, and each image for itself: one without objects is
    not taught any background, and changes nothing for the others of its batch.

    Attributes:
        drop_loss_iou: A proposal counts when its decoded box overlaps a labelled one by more than
            this; `None` for detectron2's own loss.
        soft_masks: Weighs the mask loss of objects that have a `gt_confidence` (N, H, W).
    """

    drop_loss_iou: float | None = None
    soft_masks: SoftMasks | None = None

    def forward(
        self,
        images: Any,
        features: dict[str, Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> Any:
        """As detectron2's; features in float32, since boxes lose pixels when cast to theirs."""
        return super().forward(images, _in_float32(features), proposals, targets)

    def find_boxes(
        self, features: dict[str, Tensor], proposals: list[Instances]
    ) -> list[Instances]:
        """The objects of each image without masks: `pred_boxes`, `pred_classes`, `scores`."""
        return self._forward_box(_in_float32(features), proposals)

    def masks_of_boxes(
        self,
        features: dict[str, Tensor],
        sizes: Sequence[tuple[int, int]],
        boxes: Sequence[Tensor],
        classes: Sequence[Tensor],
    ) -> list[Tensor]:
        """Per image of a size (N, 4) boxes of (N,) classes -> (N, 28, 28) float32 probabilities."""
        given = []
        for size, its_boxes, its_classes in zip(sizes, boxes, classes, strict=True):
            objects = Instances(size)
            objects.pred_boxes, objects.pred_classes = Boxes(its_boxes), its_classes
            given.append(objects)
        found = self.forward_with_given_boxes(_in_float32(features), given)
        return [objects.pred_masks[:, 0].float() for objects in found]

    def _forward_mask(self, features: dict[str, Tensor], instances: list[Instances]) -> Any:
        given = self.soft_masks is not None and all(one.has("gt_confidence") for one in instances)
        if not self.training or not given:
            return super()._forward_mask(features, instances)
        objects, _ = select_foreground_proposals(instances, self.num_classes)
        levels = [features[name] for name in self.mask_in_features]
        pooled = self.mask_pooler(levels, [one.proposal_boxes for one in objects])
        logits = self.mask_head.layers(pooled).float()
        classes = torch.cat([one.gt_classes for one in objects])
        chosen = logits[torch.arange(len(logits), device=logits.device), classes]
        return {"loss_mask": confident_mask_loss(chosen, objects, cast(SoftMasks, self.soft_masks))}

    def _run_stage(self, features: list[Tensor], proposals: list[Instances], stage: int) -> Any:
        scores, deltas = super()._run_stage(features, proposals, stage)
        return scores.float(), deltas.float()

    def _forward_box(
        self,
        features: dict[str, Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> Any:
        if not self.training or self.drop_loss_iou is None or targets is None:
            return super()._forward_box(features, proposals, targets)
        levels = [features[name] for name in self.box_in_features]
        sizes = [image.image_size for image in proposals]
        labelled = [image.gt_boxes.tensor for image in targets]
        losses: dict[str, Tensor] = {}
        decoded: list[Tensor] = []
        for stage in range(self.num_cascade_stages):
            if stage > 0:
                proposals = self._create_proposals_from_boxes(decoded, sizes)
                proposals = self._match_and_label_boxes(proposals, stage, targets)
            predictor = self.box_predictor[stage]
            predictions = self._run_stage(levels, proposals, stage)
            decoded = [boxes.detach() for boxes in predictor.predict_boxes(predictions, proposals)]
            counted = torch.cat(
                [
                    drop_loss_weights(boxes, known, self.drop_loss_iou)
                    for boxes, known in zip(decoded, labelled, strict=True)
                ]
            )
            classes = torch.cat([image.gt_classes for image in proposals])
            stage_losses = predictor.losses(predictions, proposals)
            stage_losses["loss_cls"] = drop_loss(predictions[0], classes, counted)
            losses |= {f"{name}_stage{stage}": value for name, value in stage_losses.items()}
        return losses


def confident_mask_loss(logits: Tensor, objects: list[Instances], settings: SoftMasks) -> Tensor:
    """Computes the mask loss in which sure pixels of the labels count more.

    Args:
        logits: (N, s, s) of the objects of all images, one after the other.
        objects: By image, with `proposal_boxes`, `gt_masks` and `gt_confidence`.
        settings: The weights.
    """
    size = logits.shape[-1]
    weights, targets = [], []
    for image in objects:
        boxes, masks = image.proposal_boxes.tensor, image.gt_masks.tensor
        sure = image.gt_confidence
        weights.append(roi_weights(sure, masks, boxes, size, settings.floor, settings.outside))
        targets.append(roi_targets(masks, boxes, size))
    return soft_mask_loss(logits, torch.cat(targets), torch.cat(weights), settings.normalise)


def _in_float32(features: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: level.float() for name, level in features.items()}


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode and detectron2 quiet; afterwards its mode as it was."""
    was_training = network.training
    network.eval()
    try:
        with quiet_detectron2():
            yield
    finally:
        network.train(was_training)


@contextmanager
def quiet_detectron2() -> Iterator[None]:
    """Somewhere for detectron2's heads to write their counters, which they insist on.

    What torch says here about detectron2's own calls is of no use to anyone who trains.
    """
    tracing = logging.getLogger("torch.fx._symbolic_trace")
    level = tracing.level
    tracing.setLevel(logging.ERROR)
    try:
        with EventStorage(0), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.meshgrid")
            yield
    finally:
        tracing.setLevel(level)
