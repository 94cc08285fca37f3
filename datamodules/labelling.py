"""What every DataModule for labelling shares: passes, shards, failures and one loader factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from relief.formats.depth_files import check_aspect
from relief.formats.images import read_image
from relief.schema.batch import Failure, ImageBatch
from relief.schema.errors import ReadError, UsageError
from relief.schema.parts import DepthReader

Pass = Literal["fit", "observe", "label"]
OnError = Literal["record", "skip", "stop"]
NOTHING = -1  # index of a padding sample: every rank runs the same number of batches


@dataclass(frozen=True)
class Item:
    """One image to read. The key is the path stem of everything written about it."""

    key: str
    image_path: Path
    file_name: str  # below the data set's folder, with forward slashes
    depth_path: str | None = None
    target: Callable[[], Tensor] | None = None  # (H, W, 2) int64, read only when asked for


class Sample(TypedDict, total=False):
    """What one item becomes: an image with its key, a failure, or nothing (padding)."""

    key: str
    image: Tensor
    depth: Tensor
    target: Tensor
    failure: Failure


class ItemDataset(Dataset[Sample]):
    """Reads items; a file that cannot be used becomes a `failure`, never an exception."""

    def __init__(
        self, items: Sequence[Item], depth: DepthReader | None, with_targets: bool
    ) -> None:
        self.items = items
        self.depth = depth
        self.with_targets = with_targets

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        if index == NOTHING:
            return {}
        item = self.items[index]
        try:
            return self._read(item)
        except ReadError as error:
            return {"failure": {"key": item.key, "reason": str(error)}}

    def _read(self, item: Item) -> Sample:
        sample: Sample = {"key": item.key, "image": read_image(item.image_path)}
        if self.depth is not None:
            if item.depth_path is None:
                msg = f"depth is missing: {item.key}. Add its file, or label without depth."
                raise ReadError(msg)
            sample["depth"] = self.depth.read(item.depth_path)
            size = (sample["image"].shape[1], sample["image"].shape[2])
            check_aspect(sample["depth"], size, item.depth_path)
        if self.with_targets and item.target is not None:
            sample["target"] = item.target()
        return sample


class ShardSampler(Sampler[int]):
    """Every index on exactly one rank, in order; shorter shards are padded with `NOTHING`."""

    def __init__(self, length: int, rank: int, world_size: int) -> None:
        self.length, self.rank, self.world_size = length, rank, world_size

    def __len__(self) -> int:
        return max(1, -(-self.length // self.world_size))

    def __iter__(self) -> Iterator[int]:
        indices = range(self.rank, self.length, self.world_size)
        yield from indices
        yield from [NOTHING] * (len(self) - len(indices))


def collate(samples: Sequence[Sample]) -> ImageBatch:
    """Stacks the samples that could be read; names the others in `failures`.

    Raises:
        UsageError: The images differ in size.
    """
    readable = [sample for sample in samples if "image" in sample]
    failures = [sample["failure"] for sample in samples if "failure" in sample]
    batch: ImageBatch = {
        "image": torch.zeros((0, 3, 1, 1), dtype=torch.uint8),
        "key": [sample["key"] for sample in readable],
        "failures": failures,
    }
    if not readable:
        return batch
    if len({sample["image"].shape for sample in readable}) > 1:
        msg = (
            f"images differ in size: {', '.join(batch['key'])}. Set --data.init_args.batch_size 1."
        )
        raise UsageError(msg)
    batch["image"] = torch.stack([sample["image"] for sample in readable])
    if "depth" in readable[0]:
        batch["depth"] = torch.stack([sample["depth"] for sample in readable])
    if "target" in readable[0]:
        batch["target"] = torch.stack([sample["target"] for sample in readable])
    return batch


class LabellingDataModule(pl.LightningDataModule):
    """Images for the passes of a labelling run.

    Subclasses say what there is (`items`, `fit_split`, `split`); the script says which pass is
    next (`begin`). Ground truth is only read in a pass that is asked for it.

    Args:
        depth: Reader of precomputed depth; `None` when the labeller computes or needs none.
        batch_size: Images per batch; labels do not depend on it.
        num_workers: Reading processes per rank; 0 reads in the main process.
        on_error: What an image that cannot be used does to the run: `record` labels the others
            and exits with 1, `skip` does so and exits with 0, `stop` ends the run at once.
    """

    split: str
    fit_split: str
    observe_split: str

    def __init__(
        self,
        depth: DepthReader | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        on_error: OnError = "record",
    ) -> None:
        super().__init__()
        self.depth = depth
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.on_error = on_error
        self.current_pass: Pass = "label"
        self._items: Sequence[Item] = ()
        self._by_key: dict[str, Item] = {}
        self._with_targets = False

    def items(self, split: str) -> list[Item]:
        """The items of a split, sorted by key.

        Raises:
            UsageError: There are none; the message says where and for what was looked.
        """
        raise NotImplementedError

    def ground_truth(self) -> Any:
        """Ground truth of the labelled split, for measuring; `None` where there is none."""
        return None

    def sample(self, key: str) -> Sample:
        """One image of the labelled split as it is read, without ground truth."""
        return ItemDataset([self.item(key)], self.depth, with_targets=False)[0]

    def begin(self, name: Pass, items: Sequence[Item], *, with_targets: bool = False) -> None:
        """Says which items the next `trainer.predict` reads."""
        self.current_pass = name
        self._items = items
        self._with_targets = with_targets

    def item(self, key: str) -> Item:
        """One item of the labelled split."""
        if key not in self._by_key:
            self._by_key = {item.key: item for item in self.items(self.split)}
        return self._by_key[key]

    def predict_dataloader(self) -> DataLoader[Sample]:
        """This rank's share of the items of the current pass."""
        rank, world_size = 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return DataLoader(
            ItemDataset(self._items, self.depth, self._with_targets),
            batch_size=self.batch_size,
            sampler=ShardSampler(len(self._items), rank, world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """uint8 images travel; float32 in [0, 1] arrives."""
        del dataloader_idx
        return {**batch, "image": batch["image"].to(torch.float32) / 255}
