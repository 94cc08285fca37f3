"""The state of metrics: rows of numbers for each image, a few kilobytes an image.

Rows of several images, processes or files are simply put together. Each row carries the key of
its image and the update it came from, so that an image met twice (a sampler's padding, a batch
repeated, two files that overlap) counts once.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.files.atomic import whole_file
from relief.metrics.panoptic_statistics import Ids
from relief.schema.errors import UsageError

ORIGIN_WIDTH = 2  # image, update


def image_number(key: str | None) -> int:
    """A number for an image: of its key from 0 up, or a negative one used nowhere else."""
    if key is None:
        return -(uuid.uuid4().int >> 66) - 1
    name = key.encode(errors="surrogateescape")  # file names need not be UTF-8
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") >> 1


def image_rows(table: Tensor, key: str | None, update: int) -> Tensor:
    """(N, W) int64 table of one image -> (N, 2 + W) int64 rows."""
    origin = table.new_tensor([image_number(key), update]).expand(len(table), ORIGIN_WIDTH)
    return torch.cat((origin, table), dim=1)


def empty_rows(width: int, device: torch.device) -> Tensor:
    """(0, 2 + width) int64."""
    return torch.zeros((0, ORIGIN_WIDTH + width), dtype=torch.int64, device=device)


def images_once(rows: Tensor) -> tuple[Ids, Ids, int]:
    """Every image once, whatever the order of the rows.

    Args:
        rows: (N, 2 + W) int64.

    Returns:
        (M,) image index 0..I-1 of each row kept, (M, W) their tables, and I.
    """
    values = rows.cpu().numpy()
    images, image = np.unique(values[:, 0], return_inverse=True)
    image = image.reshape(-1)
    first = np.full(len(images), np.iinfo(np.int64).max)
    np.minimum.at(first, image, values[:, 1])
    kept = values[:, 1] == first[image]
    return image[kept].astype(np.int64), values[kept, ORIGIN_WIDTH:], len(images)


def save_rows(path: Path, rows: Tensor) -> None:
    """Writes rows to an `.npz` file."""
    with whole_file(path) as file:
        np.savez_compressed(file, rows=rows.cpu().numpy())


def load_rows(path: Path, width: int) -> Tensor:
    """Reads what `save_rows` wrote.

    Returns:
        (N, 2 + width) int64.

    Raises:
        UsageError: It cannot be read, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rows = torch.from_numpy(arrays["rows"])
    except Exception as error:  # a cut or foreign file fails in many ways
        raise _unreadable(path) from error
    if rows.dtype != torch.int64 or rows.shape[1:] != (ORIGIN_WIDTH + width,):
        raise _unreadable(path)
    return rows


def _unreadable(path: Path) -> UsageError:
    return UsageError(f"cannot read the state of a metric: {path}. Save it again.")
