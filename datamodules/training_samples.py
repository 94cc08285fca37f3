"""Images with what the detector learns from them, read by key, in an order that a step decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from relief.formats.images import read_image
from relief.formats.reader import LabelReader
from relief.ops.pseudo_targets import DetectorTargets, detector_targets
from relief.ops.resize import resize_image, resize_nearest
from relief.schema.batch import Failure
from relief.schema.errors import ReadError
from relief.schema.training import DetectorClasses, TrainingBatch

ASPECT_TOLERANCE = 0.02


class TrainingSample(TypedDict, total=False):
    """One image with its targets, or why it could not be read."""

    key: str
    image: Tensor  # (3, H, W) uint8
    targets: DetectorTargets
    failure: Failure


@dataclass(frozen=True)
class LabelledImage:
    """One image and the key of its labels."""

    key: str
    image_path: Path


class LabelledImages(Dataset[TrainingSample]):
    """Reads image and labels of the same key and brings both to one size.

    Args:
        items: What there is.
        labels: Labels by key, of any resolution.
        classes: The detector's classes.
        size: (height, width) of image and targets.
        ignore_unknown_things: See `detector_targets`.
        keep_in_memory: Keep what was read, for sets that are small enough.
    """

    def __init__(
        self,
        items: Sequence[LabelledImage],
        labels: LabelReader,
        classes: DetectorClasses,
        size: tuple[int, int],
        ignore_unknown_things: bool,
        keep_in_memory: bool = False,
    ) -> None:
        self.items = items
        self.labels = labels
        self.classes = classes
        self.size = size
        self.ignore_unknown_things = ignore_unknown_things
        self.keep_in_memory = keep_in_memory
        self._kept: dict[int, TrainingSample] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> TrainingSample:
        sample = self._kept.get(index) or self._read(self.items[index])
        if self.keep_in_memory:
            self._kept[index] = sample
        return sample

    def _read(self, item: LabelledImage) -> TrainingSample:
        try:
            image, panoptic = read_image(item.image_path), self.labels.panoptic(item.key)
            check_same_aspect(item.key, image.shape[-2:], panoptic.shape[:2])
        except ReadError as error:
            return {"failure": {"key": item.key, "reason": str(error)}}
        small = resize_nearest(panoptic.permute(2, 0, 1), self.size).permute(1, 2, 0)
        return {
            "key": item.key,
            "image": resize_image(image[None], self.size)[0],
            "targets": detector_targets(
                small, self.classes, ignore_unknown_things=self.ignore_unknown_things
            ),
        }


def check_same_aspect(key: str, image: Sequence[int], labels: Sequence[int]) -> None:
    """Labels may have another resolution than their image, not another shape.

    Raises:
        ReadError: The aspect ratios differ by more than 2 %.
    """
    ratio = (image[0] * labels[1]) / (image[1] * labels[0])
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        msg = (
            f"labels have another shape than their image: {key} "
            f"({labels[0]}x{labels[1]}, image {image[0]}x{image[1]}). Label these images again."
        )
        raise ReadError(msg)


def collate_training(samples: Sequence[TrainingSample]) -> TrainingBatch:
    """Stacks what could be read; the others are named in `failures`."""
    readable = [sample for sample in samples if "image" in sample]
    failures = [sample["failure"] for sample in samples if "failure" in sample]
    if failures:
        empty = torch.zeros((0, 1, 1), dtype=torch.int64)
        return {
            "image": torch.zeros((0, 3, 1, 1), dtype=torch.uint8),
            "semantic": empty,
            "instance": empty,
            "classes": [],
            "key": [],
            "failures": failures,
        }
    return {
        "image": torch.stack([sample["image"] for sample in readable]),
        "semantic": torch.stack([sample["targets"].semantic for sample in readable]),
        "instance": torch.stack([sample["targets"].instance for sample in readable]),
        "classes": [sample["targets"].classes for sample in readable],
        "key": [sample["key"] for sample in readable],
    }


class StepBatchSampler(Sampler[list[int]]):
    """The batches of a whole training, each decided by its number alone.

    Every pass over the images has an order of its own. All ranks together take the images one
    after the other, so that no image comes twice before all came once.

    Args:
        length: Images in all.
        batch_size: Images per rank and batch.
        num_batches: Batches of the whole training, per rank.
        seed: Of the orders.
        rank: This process.
        world_size: Processes in all.
        first_batch: Where a resumed training goes on; the batches before it are not yielded.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        num_batches: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        first_batch: int = 0,
    ) -> None:
        self.length, self.batch_size, self.num_batches = length, batch_size, num_batches
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.first_batch = first_batch

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        turn, order = -1, torch.zeros(0, dtype=torch.int64)
        for batch in range(self.first_batch, self.num_batches):
            first = (batch * self.world_size + self.rank) * self.batch_size
            indices = []
            for position in range(first, first + self.batch_size):
                if position // self.length != turn:
                    turn = position // self.length
                    order = self._order(turn)
                indices.append(int(order[position % self.length]))
            yield indices

    def _order(self, turn: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + turn)
        return torch.randperm(self.length, generator=generator)
