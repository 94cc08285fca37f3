"""Items to read, what becomes of them, and which rank reads which."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, RandomSampler, Sampler

from datamodules.travel import small_ids
from relief.formats.depth_files import check_aspect
from relief.formats.images import read_image, refuse_line
from relief.formats.reader import printable, refuse_other_shape, writable_key
from relief.schema.batch import Failure, ImageBatch
from relief.schema.errors import ReadError, UsageError, reason_of
from relief.schema.parts import DepthReader

NOTHING = -1  # index of a padding sample: every rank runs the same number of batches


@dataclass(frozen=True)
class Item:
    """One image to read. The key is the path stem of everything written about it.

    Of a name that is no UTF-8, or too long, it is another text (`writable_key`).
    """

    key: str
    image_path: Path
    file_name: str  # below the data set's folder, with forward slashes
    depth_path: str | None = None
    target: Callable[[], Tensor] | None = None  # (H, W, 2) int64, read only when asked for

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", writable_key(self.key))
        object.__setattr__(self, "file_name", printable(self.file_name))


class Sample(TypedDict, total=False):
    """The content of an item: an image with its key, a failure, or nothing (padding)."""

    key: str
    image: Tensor
    depth: Tensor
    target: Tensor
    failure: Failure


class ItemDataset(Dataset[Sample]):
    """Reads items; a file that cannot be used becomes a `failure`, never an exception."""

    def __init__(
        self,
        items: Sequence[Item],
        depth: DepthReader | None,
        with_targets: bool,
        max_aspect: float = math.inf,
    ) -> None:
        self.items = items
        self.depth = depth
        self.with_targets = with_targets
        self.max_aspect = max_aspect

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        if index == NOTHING:
            return {}
        item = self.items[index]
        try:
            return self._read(item)
        except Exception as error:
            return {"failure": {"key": item.key, "reason": reason_of(error, item.key)}}

    def _read(self, item: Item) -> Sample:
        sample: Sample = {"key": item.key, "image": read_image(item.image_path)}
        refuse_line(item.key, sample["image"].shape[-2:], self.max_aspect)
        if self.depth is not None:
            if item.depth_path is None:
                msg = f"depth is missing: {item.key}. Add its file, or label without depth."
                raise ReadError(msg)
            sample["depth"] = self.depth.read(item.depth_path)
            size = (sample["image"].shape[1], sample["image"].shape[2])
            check_aspect(sample["depth"], size, item.depth_path)
        if self.with_targets and item.target is not None:
            target = item.target()
            refuse_other_shape(item.key, sample["image"].shape[-2:], target.shape[:2])
            sample["target"] = small_ids(target)
        return sample


def refuse_disorder(loader: object) -> None:
    """Each image is read once, by one rank, only with `ShardSampler` over a map-style data set.

    Raises:
        UsageError: The loader shuffles, has no length, or has a sampler of its own.
    """
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, ShardSampler):
        return
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        got = "an IterableDataset"
    elif isinstance(sampler, RandomSampler):
        got = "shuffle=True"
    else:
        got = f"the sampler {type(sampler).__name__}"
    msg = f"label.py needs an ordered, map-style data set; got {got}. Remove it."
    raise UsageError(msg)


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
        UsageError: The images, their depth or their ground truth differ in size.
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
    keys = batch["key"]
    batch["image"] = _joined([sample["image"] for sample in readable], "images", keys)
    if "depth" in readable[0]:
        batch["depth"] = _joined([sample["depth"] for sample in readable], "depth maps", keys)
    if "target" in readable[0]:
        truth = [sample["target"] for sample in readable]
        batch["target"] = _joined(truth, "ground truth maps", keys)
    return batch


def _joined(maps: Sequence[Tensor], what: str, keys: Sequence[str]) -> Tensor:
    if len({one.shape for one in maps}) > 1:
        msg = f"{what} differ in size: {', '.join(keys)}. Set --data.init_args.batch_size 1."
        raise UsageError(msg)
    return torch.stack(list(maps))
