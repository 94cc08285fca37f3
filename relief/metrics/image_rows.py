"""Metrics whose state is rows of numbers for each image, on several processes and in files."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat
from torchmetrics.utilities.distributed import gather_all_tensors

from relief.metrics.segment_rows import empty_rows, image_rows, load_rows, save_rows


class ImageRows(Metric):
    """Keeps rows of whole numbers for each image; an image met twice, on any rank, counts once.

    Attributes:
        width: Numbers of a row, after those that say whose it is.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    width: int
    rows: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.updates = 0
        self._number = uuid.uuid4().int >> 102  # 26 bits: no other metric's updates are called so
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def add_image(self, table: Tensor, key: str | None) -> None:
        """Adds the (N, width) int64 rows of an image; without a key it is one of its own."""
        self.updates += 1
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank = torch.distributed.get_rank() if distributed else 0
        update = (rank << 50) + (self._number << 24) + self.updates
        self.rows.append(image_rows(table, key, update))

    def all_rows(self) -> Tensor:
        """Returns the rows of all images and processes, (N, width + 2) int64."""
        rows = self.rows if isinstance(self.rows, list) else [self.rows]  # one tensor when synced
        return dim_zero_cat([empty_rows(self.width, self.device), *rows])

    def save(self, path: Path) -> None:
        """Writes the state to a file that `load` adds to another metric."""
        save_rows(path, self.all_rows())

    def load(self, path: Path) -> None:
        """Adds the images of a saved state; those that are there already count once."""
        self.rows.append(load_rows(path, self.width).to(self.device))
        self._update_count += 1
        self._computed = None

    def _sync_dist(
        self,
        dist_sync_fn: Callable[..., Any] = gather_all_tensors,
        process_group: Any | None = None,
    ) -> None:
        # A rank without any image must take part in the gather all the same.
        self.rows = [self.all_rows()]
        super()._sync_dist(dist_sync_fn, process_group)
