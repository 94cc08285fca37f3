"""Whether what reading processes hold in shared memory fits there, before they begin."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from relief.schema.errors import UsageError

SHARED_MEMORY = Path("/dev/shm")
_MEGABYTE = 1_000_000


def refuse_small_shared_memory(
    loader: DataLoader[Any],
    batch_size: int,
    processes: int = 1,
    folder: Path = SHARED_MEMORY,
) -> None:
    """Refuses reading processes whose batches would not fit: they would end in a bus error.

    The first sample is read for its size; workers x batches ahead x batch size are under way.

    Args:
        loader: Before it is iterated.
        batch_size: Samples per batch.
        processes: How many processes of this machine have such a loader.
        folder: The file system of shared memory; where there is none, nothing is asked.

    Raises:
        UsageError: More is needed than is free.
    """
    dataset: Any = loader.dataset
    if not loader.num_workers or not len(dataset) or not folder.is_dir():
        return
    under_way = processes * loader.num_workers * (loader.prefetch_factor or 1)
    needed = under_way * batch_size * bytes_of(dataset[0])
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = (
            f"shared memory is too small: {folder} has {free / _MEGABYTE:.0f} MB free, "
            f"{processes * loader.num_workers} reading processes hold up to "
            f"{needed / _MEGABYTE:.0f} MB. Give a container more (docker run --shm-size), or set "
            "--data.init_args.num_workers lower, 0 for none."
        )
        raise UsageError(msg)


def bytes_of(sample: Mapping[str, Any]) -> int:
    """Returns how many bytes the tensors of a sample take."""
    return sum(value.nbytes for value in sample.values() if isinstance(value, Tensor))
