"""Pseudo-labels beside their images, for training; ground truth beside images, for measuring."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from datamodules.label_classes import decide_classes
from datamodules.labelling import Item, ItemDataset, Sample, ShardSampler, collate
from datamodules.training_samples import (
    LabelledImage,
    LabelledImages,
    StepBatchSampler,
    TrainingSample,
    collate_training,
)
from relief.formats.cityscapes import CityscapesTree
from relief.formats.reader import LabelReader
from relief.ops.pseudo_targets import InsideShare, ThingStuffRule
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import label_space as find_label_space
from relief.schema.training import DetectorClasses

logger = logging.getLogger("relief.training")


class PseudoLabels(pl.LightningDataModule):
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
        ignore_unknown_things: Thing pixels without an instance are ignored; else they train the
            semantic head as things (both published).
        keep_empty: Keep images without any instance.
        batch_size: Training images per batch and rank.
        num_workers: Reading processes per rank; 0 reads in the main process.
        seed: Of the order of the images.
        limit: Train on the first so many by key only.
        keep_in_memory: Read each training image once per process; for small sets.
        images: Name of the folder of images.
    """

    def __init__(
        self,
        root: str,
        labels: LabelReader,
        size: tuple[int, int] = (640, 1280),
        split: str = "train",
        val_split: str = "val",
        label_space: str = "cityscapes19",
        thing_rule: ThingStuffRule | None = None,
        ignore_unknown_things: bool = False,
        keep_empty: bool = True,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        limit: int | None = None,
        keep_in_memory: bool = False,
        images: str = "leftImg8bit",
    ) -> None:
        super().__init__()
        self.root, self.labels, self.size = Path(root), labels, size
        self.split, self.val_split, self.images = split, val_split, images
        self.label_space = find_label_space(label_space)
        self.thing_rule = thing_rule or InsideShare()
        self.ignore_unknown_things, self.keep_empty = ignore_unknown_things, keep_empty
        self.batch_size, self.num_workers = batch_size, num_workers
        self.seed, self.limit, self.keep_in_memory = seed, limit, keep_in_memory
        self.classes = DetectorClasses((), ())
        self._items: list[LabelledImage] = []

    @property
    def supervision(self) -> tuple[str, ...]:
        """Which ground truth the labels depended on, one sentence each; empty: none."""
        return tuple(getattr(self._told, "supervision", ()))

    @property
    def label_classes(self) -> str | None:
        """The label space of the ids where ground truth named them; `None` for clusters."""
        return getattr(self._told, "classes", None)

    @property
    def _told(self) -> object:
        """What says where the labels come from: their manifest, or themselves."""
        return getattr(self.labels, "manifest", self.labels)

    def setup(self, stage: str) -> None:
        """Joins images and labels and decides the classes; nothing is read twice.

        Raises:
            UsageError: No image has labels, or there are no things or no stuff among them.
        """
        if self._items and self.classes.things:
            return
        tree = CityscapesTree(self.root, self.split, self.images)
        labelled = set(self.labels.keys)
        keys = [key for key in tree.keys if key in labelled]
        if not keys:
            msg = (
                f"no image has labels: data.root={self.root}, split {self.split} "
                f"({len(tree.keys)} images, {len(labelled)} labels, e.g. {tree.keys[0]} and "
                f"{min(labelled, default='nothing')}). Check data.labels and data.split."
            )
            raise UsageError(msg)
        keys, self.classes = decide_classes(
            keys, self.labels, self.thing_rule, keep_empty=self.keep_empty
        )
        if stage == "fit" and len(keys) < max(len(tree.keys), len(labelled)):
            told = f"training on {len(keys)} of {len(tree.keys)} images, {len(labelled)} labels"
            logger.info(told)
        self._items = [LabelledImage(key, tree.image_path(key)) for key in keys[: self.limit]]

    def train_dataloader(self) -> DataLoader[TrainingSample]:
        """The batches from the trainer's step to its last; none is drawn twice on a resume."""
        trainer = self.trainer
        assert trainer is not None  # Lightning asks for loaders of a trainer's own data only
        sampler = StepBatchSampler(
            len(self._items),
            self.batch_size,
            num_batches=trainer.max_steps * trainer.accumulate_grad_batches,
            seed=self.seed,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            first_batch=trainer.global_step * trainer.accumulate_grad_batches,
        )
        dataset = LabelledImages(
            self._items,
            self.labels,
            self.classes,
            self.size,
            self.ignore_unknown_things,
            self.keep_in_memory,
        )
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate_training,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """This rank's share of the validation images, each on one rank, with ground truth."""
        tree = CityscapesTree(self.root, self.val_split, self.images)
        items = [
            Item(
                key=key,
                image_path=tree.image_path(key),
                file_name=tree.image_path(key).relative_to(self.root).as_posix(),
                target=partial(tree.target, key, self.label_space),
            )
            for key in tree.keys
            if tree.has_target(key)
        ]
        rank, world_size = 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return DataLoader(
            ItemDataset(items, None, with_targets=True),
            batch_size=1,
            sampler=ShardSampler(len(items), rank, world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
        )

    def test_dataloader(self) -> DataLoader[Sample]:
        """As `val_dataloader`: Cityscapes' test split has no public ground truth."""
        return self.val_dataloader()

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Stops at the first file that could not be read.

        Raises:
            ReadError: With the line that says which.
        """
        del dataloader_idx
        for failure in batch.get("failures", []):
            raise ReadError(failure["reason"])
        return batch

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """uint8 images travel; float32 in [0, 1] arrives."""
        del dataloader_idx
        return {**batch, "image": batch["image"].to(torch.float32) / 255}
