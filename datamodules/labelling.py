"""Images to label: passes, shards, failures and one loader factory, of any data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from datamodules.invalid_depth import report_invalid_depth
from datamodules.items import (
    Item,
    ItemDataset,
    Sample,
    ShardSampler,
    collate,
)
from datamodules.shared_memory import refuse_small_shared_memory
from datamodules.travel import on_device, pins_memory
from relief.formats.files.digest import content_digests, file_mark
from relief.formats.images import MAX_ASPECT, SUFFIXES
from relief.processes.signals import leave_signals_to_the_run
from relief.schema.label_spaces import LabelSpace
from relief.schema.parts import DepthReader
from relief.schema.ranges import check_at_least
from relief.schema.selection import OBSERVED_IMAGES, evenly_spaced
from relief.schema.sources import ImageSource

Pass = Literal["fit", "observe", "shard", "label"]
OnError = Literal["record", "skip", "stop"]
DIGESTED_DEPTH_FILES = 20  # of each split, evenly spaced over the keys


class LabellingDataModule(pl.LightningDataModule):
    """Images of any data set for the passes of a labelling run.

    The script says which pass is next (`begin`). Ground truth is only read in a pass that is asked
    for it.

    Args:
        source: What is labelled.
        fit_source: What the codebook is fitted on; what is labelled unless given.
        observe_source: Where clusters are counted for things, groups and (`oracle_classes`) votes;
            what the codebook is fitted on unless given.
        depth: Reader of precomputed depth; `None` when the labeller computes or needs none.
        batch_size: Images per batch; labels do not depend on it.
        num_workers: Reading processes per rank; 0 reads in the main process.
        on_error: What an image that cannot be used does to the run: `record` labels the others
            and exits with 1, `skip` does so and exits with 0, `stop` ends the run at once.
        max_aspect: An image whose sides differ by more than this factor cannot be used.
    """

    free_arguments = frozenset(
        {"root", "batch_size", "num_workers", "on_error", "max_aspect", "label_space"}
    )

    def __init__(
        self,
        source: ImageSource,
        fit_source: ImageSource | None = None,
        observe_source: ImageSource | None = None,
        depth: DepthReader | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        on_error: OnError = "record",
        max_aspect: float = MAX_ASPECT,
    ) -> None:
        super().__init__()
        check_at_least(1, batch_size=batch_size, max_aspect=max_aspect)
        check_at_least(0, num_workers=num_workers)
        self.source = source
        self.fit_source = fit_source or source
        self.observe_source = observe_source or self.fit_source
        self.depth = depth
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.on_error = on_error
        self.max_aspect = max_aspect
        self.current_pass: Pass = "label"
        self.images_to_label = 0
        self.shard_folder: Path | None = None
        self._items: Sequence[Item] = ()
        self._by_key: dict[str, Item] = {}
        self._with_targets = False
        self._depth_record: Mapping[str, Any] | None = None

    @property
    def label_space(self) -> LabelSpace:
        """The classes of the ground truth, for measuring only."""
        return self.source.label_space

    def items(self, source: ImageSource | None = None) -> list[Item]:
        """The items of a source, by default of what is labelled, sorted by key.

        Raises:
            UsageError: There are none; the message says where and for what was looked.
        """
        source = source or self.source
        paths = {key: source.image_path(key) for key in source.keys}
        depth = {key: self._depth_of(source.split, key, path) for key, path in paths.items()}
        # Depth may lie beside the photographs: `a.png` beside `a.jpg` is no photograph then.
        pictures = (p for p in depth.values() if p and p.lower().endswith(SUFFIXES))
        depth_files = {os.path.realpath(path) for path in pictures}
        return [
            Item(
                key=key,
                image_path=path,
                file_name=path.relative_to(source.root).as_posix(),
                depth_path=depth[key],
                target=partial(source.target, key),
            )
            for key, path in paths.items()
            if not depth_files or os.path.realpath(path) not in depth_files
        ]

    def _depth_of(self, split: str, key: str, image_path: Path) -> str | None:
        path = self.depth.find(split, key) if self.depth else None
        is_picture = path is not None and path.lower().endswith(SUFFIXES)
        if is_picture and os.path.realpath(str(path)) == os.path.realpath(image_path):
            return None
        return path

    def ground_truth(self) -> ImageSource | None:
        """Returns the labelled source where any of its images has ground truth, else `None`."""
        has_target = (self.source.target_path(key) is not None for key in self.source.keys)
        return self.source if any(has_target) else None

    def depth_record(self) -> Mapping[str, Any] | None:
        """Tells what made the depth that is read with the images; `None` when none is read.

        A reader tells by `made_by(splits)`, as `FolderDepth`, or has `provenance` like a network.

        Raises:
            UsageError: See `FolderDepth.made_by`.
        """
        if self.depth is None or self._depth_record is not None:
            return self._depth_record
        made_by = getattr(self.depth, "made_by", None)
        record: Mapping[str, Any] = (
            getattr(self.depth, "provenance", None) or {}
            if made_by is None
            else made_by((self.source.split, self.observe_source.split))
        )
        self._depth_record = {**record, "content": self._depth_digests()}
        return self._depth_record

    def _depth_digests(self) -> dict[str, str]:
        """Digests of some depth files of every split that is looked at, by split and key."""
        paths: dict[str, Path] = {}
        for source in dict.fromkeys((self.source, self.observe_source)):
            some = evenly_spaced(self.items(source), DIGESTED_DEPTH_FILES)
            paths |= {f"{source.split}/{i.key}": Path(i.depth_path) for i in some if i.depth_path}
        return content_digests(paths)

    def marks(self, keys: Sequence[str]) -> dict[str, str]:
        """Tells by key what the images of the labelled split are; see `file_mark`."""
        return {key: file_mark(self.item(key).image_path) for key in keys}

    def sample(self, key: str) -> Sample:
        """One image of the labelled split as it is read, without ground truth."""
        return ItemDataset([self.item(key)], self.depth, with_targets=False)[0]

    def observed_items(self) -> list[Item]:
        """The images that things and groups are decided on, evenly spaced over the keys."""
        return evenly_spaced(self.items(self.observe_source), OBSERVED_IMAGES)

    def images_left(self, done: int) -> int:
        """Images that all passes from the current one on still have to read.

        Args:
            done: Batches of the current pass that are done, on every rank.
        """
        left = len(self._items) - done * self.batch_size
        if self.current_pass == "fit":
            left += len(self.observed_items())
        labels = self.current_pass in ("shard", "label")
        return max(0, left) + (0 if labels else self.images_to_label)

    def begin(
        self,
        name: Pass,
        items: Sequence[Item],
        *,
        with_targets: bool = False,
        shard_folder: Path | None = None,
    ) -> None:
        """Says which items the next `trainer.predict` reads; those of a shard have a folder."""
        self.current_pass = name
        self.shard_folder = shard_folder
        self._items = items
        self._with_targets = with_targets
        if name in ("shard", "label"):
            report_invalid_depth(self.depth, items)

    @property
    def items_of_pass(self) -> Sequence[Item]:
        """The items that the current pass reads, on all ranks."""
        return self._items

    def item(self, key: str) -> Item:
        """One item of the labelled split."""
        if key not in self._by_key:
            self._by_key = {item.key: item for item in self.items()}
        return self._by_key[key]

    def expect_room(self, items: Sequence[Item], processes: int) -> None:
        """Notes how many images are labelled, and refuses reading processes without room.

        Args:
            items: What is labelled.
            processes: How many processes of this machine label.

        Raises:
            UsageError: See `refuse_small_shared_memory`.
        """
        self.images_to_label = len(items)
        loader = DataLoader(
            ItemDataset(items, self.depth, with_targets=False), num_workers=self.num_workers
        )
        refuse_small_shared_memory(loader, self.batch_size, processes)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """This rank's share of the items of the current pass."""
        rank, world_size = 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return DataLoader(
            ItemDataset(self._items, self.depth, self._with_targets, self.max_aspect),
            batch_size=self.batch_size,
            sampler=ShardSampler(len(self._items), rank, world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_the_run,
            pin_memory=pins_memory(self.trainer),
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """See `on_device`."""
        del dataloader_idx
        return on_device(batch)
