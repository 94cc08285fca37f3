"""Objects pasted at random places: first labelled ones, later what the detector found anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torchvision.ops import box_iou

from relief.models.augmentations.geometric import resized
from relief.ops.objects.instance_targets import instance_targets, tidy_instances
from relief.schema.pixel_maps import PixelKind, pixel_maps
from relief.schema.training import (
    THING_REGION,
    Augmentation,
    DetectorClasses,
    SegmenterPrediction,
    TrainingBatch,
    TrainingMoment,
)


class PasteObject(NamedTuple):
    """One object cut out of an image: its class travels with all that lies over its pixels."""

    maps: dict[str, Tensor]  # (..., h, w): every per-pixel map but its own region and number
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
        kinds = pixel_maps(batch)
        pasted: dict[str, Any] = {**batch, "classes": list(batch["classes"])}
        pasted |= {name: pasted[name].clone() for name in kinds}
        for index in range(len(batch["image"])):
            for _ in range(int(torch.randint(1, self.max_objects + 1, ()))):
                chosen = objects[int(torch.randint(len(objects), ()))]
                self._paste(pasted, index, self._transform(chosen, kinds), moment.classes)
        return tidy_instances(cast(TrainingBatch, pasted))

    def _transform(self, chosen: PasteObject, kinds: Mapping[str, PixelKind]) -> PasteObject:
        low, high = self.scale
        factor = low + (high - low) * float(torch.rand(()))
        height, width = (max(1, round(side * factor)) for side in chosen.mask.shape)
        size = (height, width)
        scaled = {
            name: resized(values[None], kinds[name], size)[0]
            for name, values in chosen.maps.items()
        }
        mask = resized(chosen.mask[None].float(), "ids", size)[0]
        if float(torch.rand(())) < self.flip_probability:
            scaled = {name: values.flip(-1) for name, values in scaled.items()}
            mask = mask.flip(-1)
        return PasteObject(scaled, mask > 0, chosen.thing_class)

    def _paste(
        self,
        batch: dict[str, Any],
        index: int,
        chosen: PasteObject,
        known: DetectorClasses | None,
    ) -> None:
        size = batch["image"].shape[-2:]
        room = [whole - part for whole, part in zip(size, chosen.mask.shape, strict=True)]
        top, left = (int(torch.randint(min(0, r), max(0, r) + 1, ())) for r in room)
        rows, rows_in = _overlap(top, chosen.mask.shape[0], size[0])
        columns, columns_in = _overlap(left, chosen.mask.shape[1], size[1])
        mask = chosen.mask[rows_in, columns_in]
        classes = batch["classes"][index]
        batch["classes"][index] = torch.cat((classes, classes.new_tensor([chosen.thing_class])))
        for name, values in chosen.maps.items():
            part = batch[name][index][..., rows, columns]
            part.copy_(torch.where(mask, values[..., rows_in, columns_in], part))
        region = THING_REGION if known is None else int(known.region_of_thing()[chosen.thing_class])
        batch["semantic"][index, rows, columns].masked_fill_(mask, region)
        batch["instance"][index, rows, columns].masked_fill_(mask, len(classes) + 1)


def _overlap(start: int, length: int, whole: int) -> tuple[slice, slice]:
    """Where `start..start + length` lies inside `0..whole`, in the whole and in the part."""
    first, last = max(start, 0), min(start + length, whole)
    return slice(first, last), slice(first - start, last - start)


def labelled_objects(batch: TrainingBatch, min_side_px: int) -> list[PasteObject]:
    """The labelled objects of all images whose box is longer than `min_side_px` on both sides."""
    objects = []
    for index, maps in enumerate(_maps_of_images(batch)):
        targets = instance_targets(batch["instance"][index], batch["classes"][index])
        for number in _large(targets["boxes"], min_side_px):
            mask, box = targets["masks"][number], targets["boxes"][number]
            objects += _cut(maps, mask, box, int(targets["classes"][number]))
    return objects


def novel_objects(
    batch: TrainingBatch,
    found: SegmenterPrediction,
    min_side_px: int,
    score_threshold: float,
    novelty_iou: float,
) -> list[PasteObject]:
    """Cuts out confident detections that overlap no labelled box by `novelty_iou` or more.

    Weights of their pixels become the detection's score.
    """
    objects = []
    kinds = pixel_maps(batch)
    for index, maps in enumerate(_maps_of_images(batch)):
        detections = found["detections"][index]
        known = instance_targets(batch["instance"][index], batch["classes"][index])["boxes"]
        taken = detections["scores"] > score_threshold
        if len(known) > 0 and len(taken) > 0:
            taken &= box_iou(detections["boxes"], known).amax(dim=1) < novelty_iou
        for number in _large(detections["boxes"], min_side_px):
            if not taken[number]:
                continue
            score = detections["scores"][number]
            scored = {
                name: score.expand_as(values) if kinds[name] == "weights" else values
                for name, values in maps.items()
            }
            mask, box = detections["masks"][number], detections["boxes"][number]
            objects += _cut(scored, mask, box, int(detections["classes"][number]))
    return objects


def _maps_of_images(batch: TrainingBatch) -> list[dict[str, Tensor]]:
    """The maps that an object takes along, image by image."""
    names = pixel_maps(batch).keys() - {"semantic", "instance"}
    entries: Mapping[str, Any] = batch
    return [
        {name: entries[name][index] for name in sorted(names)}
        for index in range(len(batch["image"]))
    ]


def _large(boxes: Tensor, min_side_px: int) -> list[int]:
    """Numbers of the boxes (N, 4) that are longer on both sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return torch.nonzero(sides.amin(dim=1) > min_side_px).flatten().tolist()


def _cut(
    maps: Mapping[str, Tensor], mask: Tensor, box: Tensor, thing_class: int
) -> list[PasteObject]:
    """The object in its box; none where the mask has no pixel there."""
    height, width = mask.shape
    left, top, right, bottom = box.tolist()
    rows = slice(max(int(top), 0), min(int(bottom + 0.999), height))
    columns = slice(max(int(left), 0), min(int(right + 0.999), width))
    if not mask[rows, columns].any():
        return []
    part = {name: values[..., rows, columns] for name, values in maps.items()}
    return [PasteObject(part, mask[rows, columns], thing_class)]
