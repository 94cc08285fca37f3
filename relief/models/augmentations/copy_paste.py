"""Objects pasted at random places: first labelled ones, later what the detector found anew."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from relief.ops.instance_targets import instance_targets, tidy_instances
from relief.schema.training import (
    THING_REGION,
    Augmentation,
    DetectorClasses,
    SegmenterPrediction,
    TrainingBatch,
    TrainingMoment,
)


class PasteObject(NamedTuple):
    """One object cut out of an image: its class travels with its pixels."""

    image: Tensor  # (3, h, w) float32 in [0, 1]
    mask: Tensor  # (h, w) bool
    thing_class: int


class CopyPaste(Augmentation):
    """Pastes 1 to `max_objects` objects into every image, scaled, mirrored, anywhere.

    In the first `start_up_steps` the objects are the labelled ones of the batch. After them they
    are what the running network finds in the batch with confidence and the labels lack. The
    network looks at the batch at hand and not at the previous one as published, so that nothing
    but the step decides what is pasted and a resumed training pastes the same.

    Args:
        max_objects: At most so many per image, at least one; drawn with replacement.
        scale: Range of the factor on the object's size.
        flip_probability: Of mirroring an object.
        min_side_px: Objects are only taken when both sides of their box are longer.
        start_up_steps: Optimizer steps with labelled objects; `None`: all of them, as where the
            labels are what a teacher found.
        score_threshold: Detections are only taken above this score.
        novelty_iou: ... and when their box overlaps every labelled one by less than this.
    """

    def __init__(
        self,
        max_objects: int = 8,
        scale: tuple[float, float] = (0.25, 1.5),
        flip_probability: float = 0.5,
        min_side_px: int = 32,
        start_up_steps: int | None = 1000,
        score_threshold: float = 0.75,
        novelty_iou: float = 0.5,
    ) -> None:
        self.max_objects = max_objects
        self.scale = scale
        self.flip_probability = flip_probability
        self.min_side_px = min_side_px
        self.start_up_steps = start_up_steps
        self.score_threshold = score_threshold
        self.novelty_iou = novelty_iou

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The batch with objects pasted; without objects to paste it is the one given."""
        if self.start_up_steps is None or moment.step < self.start_up_steps:
            objects = labelled_objects(batch, self.min_side_px)
        else:
            found = moment.predict(batch["image"])
            objects = novel_objects(
                batch, found, self.min_side_px, self.score_threshold, self.novelty_iou
            )
        if not objects:
            return batch
        pasted: TrainingBatch = {
            **batch,
            "image": batch["image"].clone(),
            "semantic": batch["semantic"].clone(),
            "instance": batch["instance"].clone(),
            "classes": list(batch["classes"]),
        }
        for index in range(len(pasted["image"])):
            for _ in range(int(torch.randint(1, self.max_objects + 1, ()))):
                chosen = objects[int(torch.randint(len(objects), ()))]
                self._paste(pasted, index, self._transform(chosen), moment.classes)
        return tidy_instances(pasted)

    def _transform(self, chosen: PasteObject) -> PasteObject:
        low, high = self.scale
        factor = low + (high - low) * float(torch.rand(()))
        size = [max(1, round(side * factor)) for side in chosen.mask.shape]
        image = F.interpolate(
            chosen.image[None], size=size, mode="bilinear", align_corners=False, antialias=True
        )[0]
        mask = F.interpolate(chosen.mask[None, None].float(), size=size, mode="nearest-exact")[0, 0]
        if float(torch.rand(())) < self.flip_probability:
            image, mask = image.flip(-1), mask.flip(-1)
        return PasteObject(image, mask > 0, chosen.thing_class)

    def _paste(
        self,
        batch: TrainingBatch,
        index: int,
        chosen: PasteObject,
        told: DetectorClasses | None,
    ) -> None:
        size = batch["image"].shape[-2:]
        room = [whole - part for whole, part in zip(size, chosen.mask.shape, strict=True)]
        top, left = (int(torch.randint(min(0, r), max(0, r) + 1, ())) for r in room)
        rows, rows_in = _overlap(top, chosen.mask.shape[0], size[0])
        columns, columns_in = _overlap(left, chosen.mask.shape[1], size[1])
        mask = chosen.mask[rows_in, columns_in]
        classes = batch["classes"][index]
        batch["classes"][index] = torch.cat((classes, classes.new_tensor([chosen.thing_class])))
        region = batch["image"][index, :, rows, columns]
        region.copy_(torch.where(mask, chosen.image[:, rows_in, columns_in], region))
        own = THING_REGION if told is None else int(told.region_of_thing()[chosen.thing_class])
        batch["semantic"][index, rows, columns].masked_fill_(mask, own)
        batch["instance"][index, rows, columns].masked_fill_(mask, len(classes) + 1)


def _overlap(start: int, length: int, whole: int) -> tuple[slice, slice]:
    """Where `start..start + length` lies inside `0..whole`, in the whole and in the part."""
    first, last = max(start, 0), min(start + length, whole)
    return slice(first, last), slice(first - start, last - start)


def labelled_objects(batch: TrainingBatch, min_side_px: int) -> list[PasteObject]:
    """The labelled objects of all images whose box is longer than `min_side_px` on both sides."""
    objects = []
    for index, image in enumerate(batch["image"]):
        targets = instance_targets(batch["instance"][index], batch["classes"][index])
        objects += _cut(image, targets["masks"], targets["boxes"], targets["classes"], min_side_px)
    return objects


def novel_objects(
    batch: TrainingBatch,
    found: SegmenterPrediction,
    min_side_px: int,
    score_threshold: float,
    novelty_iou: float,
) -> list[PasteObject]:
    """Confident detections that overlap no labelled box by `novelty_iou` or more."""
    objects = []
    for index, image in enumerate(batch["image"]):
        detections = found["detections"][index]
        known = instance_targets(batch["instance"][index], batch["classes"][index])["boxes"]
        taken = detections["scores"] > score_threshold
        if len(known) > 0 and len(taken) > 0:
            taken &= box_iou(detections["boxes"], known).amax(dim=1) < novelty_iou
        objects += _cut(
            image,
            detections["masks"][taken],
            detections["boxes"][taken],
            detections["classes"][taken],
            min_side_px,
        )
    return objects


def _cut(
    image: Tensor, masks: Tensor, boxes: Tensor, classes: Tensor, min_side_px: int
) -> list[PasteObject]:
    objects = []
    height, width = image.shape[-2:]
    for mask, box, thing_class in zip(masks, boxes.tolist(), classes.tolist(), strict=True):
        if min(box[2] - box[0], box[3] - box[1]) <= min_side_px:
            continue
        rows = slice(max(int(box[1]), 0), min(int(box[3] + 0.999), height))
        columns = slice(max(int(box[0]), 0), min(int(box[2] + 0.999), width))
        if mask[rows, columns].any():
            objects.append(PasteObject(image[:, rows, columns], mask[rows, columns], thing_class))
    return objects
