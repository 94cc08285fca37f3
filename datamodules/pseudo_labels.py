"""Pseudo-labels beside their images, for training; ground truth beside images, for measuring."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import Any

import torch

from datamodules.label_classes import decide_classes
from datamodules.training_data import LOOKED_AT, TrainingDataModule
from datamodules.training_samples import (
    LabelledImages,
    TrainingImage,
    collate_training,
    training_batch,
)
from relief.formats.reader import LabelReader
from relief.models.criteria.sure_labels import HOW_TO_SAY
from relief.ops.objects.pseudo_targets import InsideShare, ThingStuffRule
from relief.schema.errors import UsageError
from relief.schema.ranges import check_at_least
from relief.schema.selection import evenly_spaced
from relief.schema.sources import ImageSource
from relief.schema.training import DetectorClasses, LabelOrigin
from relief.sources.cityscapes import CityscapesSource

logger = logging.getLogger("relief.training")


class PseudoLabels(TrainingDataModule):
    """`ROOT/leftImg8bit/SPLIT` joined with any labels by key.

    Args:
        root: The folder that holds `leftImg8bit`, and `gtFine` for the validation.
        labels: A label store, CUPS files or any other `LabelReader`.
        size: (height, width) to which images and labels are brought for training.
        split: What is trained on.
        val_split: What is measured on, with its ground truth.
        label_space: `cityscapes19` or `cityscapes27`, for measuring only.
        thing_rule: Decides what is a thing where the labels do not say; `InsideShare()` unless
            given.
        things_apart: The semantic head learns thing classes apart; published detectors let them
            share one class.
        ignore_unknown_things: Thing pixels without an instance are ignored; else they train the
            semantic head as things (both published).
        keep_empty: Keep images without any instance.
        batch_size: Training images per batch and rank.
        num_workers: Reading processes per rank; 0 reads in the main process.
        seed: Of the order of the images.
        limit: Train on the first so many by key only.
        keep_in_memory: Read each training image once per process; for small sets.
        images: Name of the folder of images.
        source: Train on its images instead of those at `root`.
        validation: Measure on it instead of on the Cityscapes tree at `root`.
        validation_share: See `TrainingDataModule`.
        decode_at_size: Decode a JPEG of at least twice `size` at the fraction that is enough: less
            time, and pixels that differ slightly from those of the whole resized.
        surest_first: Begin with the images of whose labels the labeller is surest, on average; see
            `StepBatchSampler`.
    """

    join_samples = staticmethod(collate_training)

    def __init__(
        self,
        root: str,
        labels: LabelReader,
        size: tuple[int, int] = (640, 1280),
        split: str = "train",
        val_split: str = "val",
        label_space: str = "cityscapes19",
        thing_rule: ThingStuffRule | None = None,
        things_apart: bool = False,
        ignore_unknown_things: bool = False,
        keep_empty: bool = True,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        limit: int | None = None,
        keep_in_memory: bool = False,
        images: str = "leftImg8bit",
        source: ImageSource | None = None,
        validation: ImageSource | None = None,
        validation_share: float = 1.0,
        decode_at_size: bool = False,
        surest_first: bool = False,
    ) -> None:
        super().__init__(
            *(Path(root), val_split, label_space, batch_size, num_workers, seed, images),
            validation=validation,
            validation_share=validation_share,
        )
        self.source = source or CityscapesSource(root, split, label_space, images)
        self.labels, self.size, self.split = labels, size, split
        self.thing_rule, self.things_apart = thing_rule or InsideShare(), things_apart
        self.ignore_unknown_things, self.keep_empty = ignore_unknown_things, keep_empty
        check_at_least(1, limit=limit)
        self.limit, self.keep_in_memory = limit, keep_in_memory
        self.decode_at_size, self.surest_first = decode_at_size, surest_first
        self.classes = DetectorClasses((), ())
        self._items: list[TrainingImage] = []

    @property
    def label_origin(self) -> LabelOrigin:
        """Where the labels come from, by their manifest or by themselves."""
        return LabelOrigin.of(getattr(self.labels, "manifest", self.labels))

    def setup(self, stage: str) -> None:
        """Joins images and labels and decides the classes; nothing is read twice.

        Raises:
            UsageError: No image has labels, or there are no things or no stuff among them.
        """
        if self._items and self.classes.things:
            return
        source_keys = self.source.keys
        labelled = set(self.labels.keys)
        keys = [key for key in source_keys if key in labelled]
        if not keys:
            msg = (
                f"no image has labels: data.root={self.root}, split {self.split} "
                f"({len(source_keys)} images, {len(labelled)} labels, e.g. {source_keys[0]} and "
                f"{min(labelled, default='nothing')}). Check data.labels and data.split."
            )
            raise UsageError(msg)
        keys, classes = decide_classes(
            keys, self.labels, self.thing_rule, keep_empty=self.keep_empty
        )
        self.classes = dataclasses.replace(classes, apart=self.things_apart)
        if stage == "fit" and len(keys) < max(len(source_keys), len(labelled)):
            told = f"training on {len(keys)} of {len(source_keys)} images, {len(labelled)} labels"
            logger.info(told)
        self._items = [
            TrainingImage(key, self.source.image_path(key)) for key in keys[: self.limit]
        ]

    @property
    def items(self) -> list[TrainingImage]:
        """The joined images."""
        return self._items

    def contents(self) -> dict[str, Any]:
        """Returns marks of images and labels, some of which are read; raises `ReadError`."""
        digest = hashlib.sha256()
        for image in evenly_spaced(self._items, LOOKED_AT):
            ids = self.labels.panoptic(image.key).to(torch.int32).contiguous()
            digest.update(ids.numpy().tobytes())
        labels = {"codebook": self.label_origin.codebook, "files": digest.hexdigest()[:16]}
        return {"labels": labels, **super().contents()}

    def training_set(self) -> LabelledImages:
        """The joined images and labels."""
        return LabelledImages(
            self._items,
            self.labels,
            self.size,
            self.keep_in_memory,
            self.decode_at_size,
        )

    def surest_images(self) -> list[int] | None:
        """The images by falling mean confidence, where the surest come first.

        Raises:
            UsageError: The labels do not say how sure they are.
        """
        if not self.surest_first:
            return None
        read = getattr(self.labels, "confidence", None)
        means = list[float]()
        for image in self._items:
            sure = None if read is None else read(image.key)
            if sure is None:
                msg = f"surest_first asks how sure labels are, and they do not say. {HOW_TO_SAY}"
                raise UsageError(msg)
            means.append(float(sure.mean()))
        return sorted(range(len(means)), key=lambda index: -means[index])

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Makes targets of the labels of a training batch that has arrived on the device."""
        arrived = super().on_after_batch_transfer(batch, dataloader_idx)
        if "category" not in arrived:
            return arrived
        return training_batch(
            arrived, self.classes, ignore_unknown_things=self.ignore_unknown_things
        )
