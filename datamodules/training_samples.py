"""Images to train on, with their labels or without, brought to one size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.items import Sample
from datamodules.travel import small_ids
from relief.formats.images import read_image
from relief.formats.reader import LabelReader, panoptic_at, refuse_other_shape
from relief.models.augmentations.geometric import resized
from relief.ops.objects.pseudo_targets import detector_targets
from relief.ops.resize import resize_image
from relief.schema.batch import Failure
from relief.schema.errors import reason_of
from relief.schema.training import DetectorClasses, TrainingBatch

_Sample = TypeVar("_Sample")


class TrainingSample(TypedDict, total=False):
    """One image with its labels, or why it could not be read."""

    key: str
    image: Tensor  # (3, H, W) uint8
    category: Tensor  # (H, W) as small integers, see `small_ids`
    instance: Tensor  # (H, W) as small integers
    confidence: Tensor  # (H, W) uint8 of 255; absent where the labels say none
    failure: Failure


class LabelledBatch(TypedDict):
    """Labelled images on their way; `training_batch` makes targets of the labels on the device."""

    image: Tensor  # (B, 3, H, W) uint8; float32 in [0, 1] on the device
    category: Tensor  # (B, H, W) small integers; int64 on the device
    instance: Tensor  # (B, H, W) small integers; int64 on the device
    key: list[str]
    confidence: NotRequired[Tensor]  # (B, H, W) uint8 of 255; float32 in [0, 1] on the device
    failures: NotRequired[list[Failure]]


@dataclass(frozen=True)
class TrainingImage:
    """One image, and the key of its labels where there are any."""

    key: str
    image_path: Path


class TrainingImages(Dataset[_Sample], ABC):
    """Images by index, read when they are asked for; a file that cannot be read is a `failure`.

    Args:
        items: What there is.
        size: (height, width) to which all are brought.
        keep_in_memory: Keep what was read, for sets that are small enough.
        decode_at_size: Decode a JPEG at the fraction that is enough for `size`; see `read_image`.
    """

    def __init__(
        self,
        items: Sequence[TrainingImage],
        size: tuple[int, int],
        keep_in_memory: bool = False,
        decode_at_size: bool = False,
    ) -> None:
        self.items = items
        self.size = size
        self.keep_in_memory = keep_in_memory
        self.enough = size if decode_at_size else None
        self._kept: dict[int, _Sample] = {}

    @abstractmethod
    def read(self, item: TrainingImage) -> _Sample:
        """One sample; what is wrong with its files is in it."""
        ...

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> _Sample:
        sample = self._kept.get(index) or self.read(self.items[index])
        if self.keep_in_memory:
            self._kept[index] = sample
        return sample


class LabelledImages(TrainingImages[TrainingSample]):
    """Reads image and labels of the same key and brings both to one size.

    Args:
        items: What there is.
        labels: Labels by key, of any resolution.
        size: (height, width) of image and labels.
        keep_in_memory: See `TrainingImages`.
        decode_at_size: See `TrainingImages`.
    """

    def __init__(
        self,
        items: Sequence[TrainingImage],
        labels: LabelReader,
        size: tuple[int, int],
        keep_in_memory: bool = False,
        decode_at_size: bool = False,
    ) -> None:
        super().__init__(items, size, keep_in_memory, decode_at_size)
        self.labels = labels

    def read(self, item: TrainingImage) -> TrainingSample:
        """Image and labels at `size`, or a failure."""
        try:
            image = read_image(item.image_path, self.enough)
            panoptic, own_size = panoptic_at(self.labels, item.key, self.size)
            refuse_other_shape(item.key, image.shape[-2:], own_size)
            confidence = self._confidence(item.key, image.shape[-2:])
        except Exception as error:
            return {"failure": {"key": item.key, "reason": reason_of(error, item.key)}}
        sample = TrainingSample(
            key=item.key,
            image=resize_image(image[None], self.size)[0],
            category=small_ids(panoptic[..., 0]),
            instance=small_ids(panoptic[..., 1]),
        )
        if confidence is not None:
            sample["confidence"] = confidence
        return sample

    def _confidence(self, key: str, image_size: Sequence[int]) -> Tensor | None:
        """(H, W) uint8 of 255 at `size`, where the labels say how sure they are."""
        read = getattr(self.labels, "confidence", None)
        confidence: Tensor | None = None if read is None else read(key)
        if confidence is None:
            return None
        refuse_other_shape(key, image_size, confidence.shape)
        at_size = resized(confidence[None], "weights", self.size)[0]
        return (at_size * 255).round().to(torch.uint8)


class BareImages(TrainingImages[Sample]):
    """Reads images that have no labels; the middle of them where their shape is another one."""

    def read(self, item: TrainingImage) -> Sample:
        """The image at `size`, or a failure."""
        try:
            image = read_image(item.image_path, self.enough)
        except Exception as error:
            return {"failure": {"key": item.key, "reason": reason_of(error, item.key)}}
        part = middle(image, self.size)
        return {"key": item.key, "image": resize_image(part[None], self.size)[0]}


def middle(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The largest part around the middle of (3, H, W) that has the aspect ratio of `size`."""
    height, width = image.shape[-2:]
    part_height = min(height, max(1, round(width * size[0] / size[1])))
    part_width = min(width, max(1, round(height * size[1] / size[0])))
    top, left = (height - part_height) // 2, (width - part_width) // 2
    return image[:, top : top + part_height, left : left + part_width]


def collate_training(samples: Sequence[TrainingSample]) -> LabelledBatch:
    """Stacks what could be read; the others are named in `failures`."""
    readable = [sample for sample in samples if "image" in sample]
    failures = [sample["failure"] for sample in samples if "failure" in sample]
    if failures:
        empty = torch.zeros((0, 1, 1), dtype=torch.int64)
        return {
            "image": torch.zeros((0, 3, 1, 1), dtype=torch.uint8),
            "category": empty,
            "instance": empty,
            "key": [],
            "failures": failures,
        }
    batch = LabelledBatch(
        image=torch.stack([sample["image"] for sample in readable]),
        category=torch.stack([sample["category"] for sample in readable]),
        instance=torch.stack([sample["instance"] for sample in readable]),
        key=[sample["key"] for sample in readable],
    )
    if "confidence" in readable[0]:
        batch["confidence"] = torch.stack([sample["confidence"] for sample in readable])
    return batch


def training_batch(
    batch: LabelledBatch, classes: DetectorClasses, *, ignore_unknown_things: bool
) -> TrainingBatch:
    """Makes the detector's targets of the labels of a batch, where the batch is.

    Args:
        batch: On its device, ids as int64.
        classes: The detector's classes.
        ignore_unknown_things: See `detector_targets`.
    """
    maps = torch.stack((batch["category"], batch["instance"]), dim=-1)
    targets = [
        detector_targets(panoptic, classes, ignore_unknown_things=ignore_unknown_things)
        for panoptic in maps
    ]
    made = TrainingBatch(
        image=batch["image"],
        semantic=torch.stack([target.semantic for target in targets]),
        instance=torch.stack([target.instance for target in targets]),
        classes=[target.classes for target in targets],
        key=batch["key"],
    )
    if "confidence" in batch:
        made["confidence"] = batch["confidence"]
    return made
