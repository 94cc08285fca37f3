"""Targets of the student from predictions of the teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.segmenters.prediction.predictor import PanopticPredictor, refuse_not_finite
from relief.schema.label_spaces import VOID
from relief.schema.training import DetectorClasses, SegmenterPrediction, SemanticThreshold


def pseudo_targets(
    prediction: SegmenterPrediction,
    classes: DetectorClasses,
    threshold: SemanticThreshold,
    predictor: PanopticPredictor,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The confident part of a prediction in the terms of a `TrainingBatch`.

    Objects are those of the panoptic map. The semantic map is the semantic head's own, objects do
    not change it (as published).

    Args:
        prediction: Of the teacher, B images; the softmax of its logits are the probabilities.
        classes: The classes it was trained for.
        threshold: Which pixels of the semantic map count.
        predictor: Makes the panoptic map, with the least score of an object.

    Returns:
        `semantic` (B, H, W) int64: 0 = things, j + 1 = stuff j, -1 = not sure; `instance`
        (B, H, W) int64: 0 = none, n = object n of the image; per image (N,) int64, the thing
        classes of the objects 1..N.

    Raises:
        ReadError: The prediction is not finite.
    """
    refuse_not_finite(prediction)
    logits = prediction["semantic_logits"]
    semantic = threshold(logits.softmax(dim=1))
    instances, its_classes = [], []
    for found, detections in zip(logits.argmax(dim=1), prediction["detections"], strict=True):
        panoptic = predictor.merge(found, detections, classes)
        instances.append(panoptic[..., 1])
        its_classes.append(_thing_classes(panoptic, classes))
    return semantic, torch.stack(instances), its_classes


def _thing_classes(panoptic: Tensor, classes: DetectorClasses) -> Tensor:
    """(N,) int64: the thing classes of the objects 1..N of an (H, W, 2) map."""
    category, instance = panoptic[..., 0].flatten(), panoptic[..., 1].flatten()
    of_object = torch.full((int(instance.max()) + 1,), VOID, device=panoptic.device)
    of_object.scatter_(0, instance, category)
    return classes.thing_of_category().to(panoptic.device)[of_object[1:]]
