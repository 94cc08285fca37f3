"""The base of DataModules for training: batches by step, and images that are measured on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.items import Item, ItemDataset, Sample, ShardSampler, collate
from datamodules.shared_memory import refuse_small_shared_memory
from datamodules.step_batches import StepBatchSampler
from datamodules.training_samples import TrainingImage
from datamodules.travel import on_device, pins_memory
from relief.formats.files.digest import file_mark
from relief.processes.signals import leave_signals_to_the_run
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import label_space as find_label_space
from relief.schema.ranges import check_at_least
from relief.schema.selection import evenly_spaced
from relief.schema.sources import ImageSource, keys_with_target
from relief.sources.cityscapes import CityscapesSource

LOOKED_AT = 20  # images and labels, evenly spaced, to tell whether others lie there by now


class TrainingDataModule(pl.LightningDataModule):
    """Training batches that the step decides, and validation images with their ground truth.

    Subclasses say what is trained on (`training_set`) and how its samples become a batch
    (`join_samples`).

    Args:
        root: The folder that holds `leftImg8bit` and `gtFine`; `None` where nothing is measured.
        val_split: What is measured on, with its ground truth.
        label_space: `cityscapes19` or `cityscapes27`, for measuring only.
        batch_size: Training images per batch and rank.
        num_workers: Reading processes per rank; 0 reads in the main process.
        seed: Of the order of the images.
        images: Name of the folder of the validation images.
        validation: What is measured on instead of the Cityscapes tree at `root`.
        validation_share: Share in (0, 1] of these images that is measured while a training runs,
            evenly spaced over the keys; `validate` and `test` measure all.

    Raises:
        UsageError: A number is out of range.
    """

    join_samples: Callable[[Sequence[Any]], Any]  # static: reading processes get it alone
    free_arguments = frozenset(
        {
            *("root", "num_workers", "keep_in_memory"),
            *("val_split", "label_space", "validation", "validation_share"),
        }
    )

    def __init__(
        self,
        root: Path | None,
        val_split: str,
        label_space: str,
        batch_size: int,
        num_workers: int,
        seed: int,
        images: str = "leftImg8bit",
        validation: ImageSource | None = None,
        validation_share: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 < validation_share <= 1:
            msg = f"validation_share={validation_share}: expected a number in (0, 1]. Give another."
            raise UsageError(msg)
        check_at_least(1, batch_size=batch_size)
        check_at_least(0, num_workers=num_workers)
        self.root = root
        if validation is None and root is not None:
            validation = CityscapesSource(root, val_split, label_space, images)
        self.validation = validation
        self.label_space = validation.label_space if validation else find_label_space(label_space)
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.validation_share = validation_share

    def training_set(self) -> Dataset[Any]:
        """Makes the data set that is trained on, by index; it has a length."""
        raise NotImplementedError

    def sampling(self) -> Tensor | None:
        """Tells with what probability images are drawn, (classes, images); `None`: one by one."""
        return None

    def surest_images(self) -> Sequence[int] | None:
        """Orders the images by how sure their labels are, to begin with the surest; or does not."""
        return None

    @property
    def items(self) -> Sequence[TrainingImage]:
        """The images that are trained on, sorted by key."""
        raise NotImplementedError

    def contents(self) -> dict[str, Any]:
        """Returns marks of what is trained on, nested plain values: others where it changed."""
        images = self.items
        marks = [file_mark(image.image_path) for image in evenly_spaced(images, LOOKED_AT)]
        keys = [image.key for image in images]
        return {"images": {"number": len(keys), "keys": _mark(keys), "files": _mark(marks)}}

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches from the trainer's step to its last; none is drawn twice on a resume."""
        trainer = self.trainer
        assert trainer is not None  # Lightning asks for loaders of a trainer's own data only
        dataset: Any = self.training_set()
        sampler = StepBatchSampler(
            len(dataset),
            self.batch_size,
            num_batches=trainer.max_steps * trainer.accumulate_grad_batches,
            seed=self.seed,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            first_batch=trainer.global_step * trainer.accumulate_grad_batches,
            probabilities=self.sampling(),
            surest_first=self.surest_images(),
        )
        loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=self.join_samples,
            worker_init_fn=leave_signals_to_the_run,
            persistent_workers=self.num_workers > 0,
            pin_memory=pins_memory(trainer),
        )
        refuse_small_shared_memory(loader, self.batch_size, trainer.num_devices)
        return loader

    def val_dataloader(self) -> Any:
        """This rank's share of the validation images, each on one rank, with ground truth."""
        source = self.validation
        if source is None:
            return []
        keys = keys_with_target(source)
        if self.trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            keys = evenly_spaced(keys, math.ceil(self.validation_share * len(keys)))
        items = [
            Item(
                key=key,
                image_path=source.image_path(key),
                file_name=source.image_path(key).name,
                target=partial(source.target, key),
            )
            for key in keys
        ]
        rank, world_size, processes = 0, 1, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
            processes = self.trainer.num_devices
        loader: DataLoader[Sample] = DataLoader(
            ItemDataset(items, None, with_targets=True),
            batch_size=1,
            sampler=ShardSampler(len(items), rank, world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_the_run,
        )
        refuse_small_shared_memory(loader, 1, processes)
        return loader

    def test_dataloader(self) -> Any:
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
        """See `on_device`."""
        del dataloader_idx
        return on_device(batch)


def _mark(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
