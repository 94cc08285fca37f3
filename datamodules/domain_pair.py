"""Labelled images of one domain beside unlabelled ones of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from datamodules.pseudo_labels import PseudoLabels
from datamodules.training_data import TrainingDataModule
from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace
from relief.schema.training import DetectorClasses, LabelOrigin


class DomainPair(pl.LightningDataModule):
    """Batches of labelled images, with unlabelled ones under `unlabelled`.

    Each side has its own batch size, size, workers and order. The second domain is what is measured
    on; its ground truth is for that alone.

    Args:
        labelled: The domain with labels, such as `GroundTruthLabels` of a synthetic data set.
        unlabelled: The domain without, and its validation: `UnlabelledImages`, or `PseudoLabels` of
            the same classes, for trainings that ask where things lie.
    """

    def __init__(self, labelled: PseudoLabels, unlabelled: TrainingDataModule) -> None:
        super().__init__()
        self.labelled, self.unlabelled = labelled, unlabelled

    @property
    def classes(self) -> DetectorClasses:
        """The classes of the labels."""
        return self.labelled.classes

    @property
    def label_origin(self) -> LabelOrigin:
        """Where the labels of both sides come from."""
        first = self.labelled.label_origin
        second: LabelOrigin = getattr(self.unlabelled, "label_origin", first)
        return dataclasses.replace(
            first,
            supervision=tuple(dict.fromkeys((*first.supervision, *second.supervision))),
            notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
        )

    @property
    def label_space(self) -> LabelSpace:
        """The classes that are measured."""
        return self.unlabelled.label_space

    def setup(self, stage: str) -> None:
        """Finds the images of both sides and the classes.

        Raises:
            UsageError: There are none, or the sides have labels of other classes.
        """
        self.labelled.setup(stage)
        self.unlabelled.setup(stage)
        others = getattr(self.unlabelled, "classes", self.classes)
        if others != self.classes:
            msg = (
                f"labels of other classes: data.unlabelled has {others}, "
                f"data.labelled {self.classes}. Give labels of the same ids to both."
            )
            raise UsageError(msg)

    def contents(self) -> dict[str, Any]:
        """Returns marks of both sides; raises `ReadError`."""
        return {"labelled": self.labelled.contents(), "unlabelled": self.unlabelled.contents()}

    def train_dataloader(self) -> Mapping[str, Any]:
        """Makes a loader of each side; Lightning draws a batch of both at every step."""
        return {name: side.train_dataloader() for name, side in self._sides().items()}

    def val_dataloader(self) -> Any:
        """Loads the validation images of the second domain."""
        return self._sides()["unlabelled"].val_dataloader()

    def test_dataloader(self) -> Any:
        """Loads the validation images, as `val_dataloader`."""
        return self.val_dataloader()

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Stops at the first file of either side that could not be read; raises `ReadError`."""
        for side in _sides_of(batch):
            self.unlabelled.on_before_batch_transfer(side, dataloader_idx)
        return batch

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Joins the sides of a training batch, in full words on the device."""
        if "labelled" not in batch:
            return self.unlabelled.on_after_batch_transfer(batch, dataloader_idx)
        first, second = (
            side.on_after_batch_transfer(batch[name], dataloader_idx)
            for name, side in self._sides().items()
        )
        return {**first, "unlabelled": second}

    def _sides(self) -> Mapping[str, TrainingDataModule]:
        sides: dict[str, TrainingDataModule] = {
            "labelled": self.labelled,
            "unlabelled": self.unlabelled,
        }
        for side in sides.values():
            side.trainer = self.trainer
        return sides


def _sides_of(batch: Mapping[str, Any]) -> list[Any]:
    """The batches of both sides, or the one of a validation."""
    return [batch["labelled"], batch["unlabelled"]] if "labelled" in batch else [batch]
