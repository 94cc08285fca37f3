"""A progress bar for every pass of a labelling run."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

TITLES = {
    "fit": "sampling features for the codebook",
    "observe": "deciding things and groups",
    "shard": "labelling a shard",
    "label": "labelling",
}


class PassProgress(pl.Callback):
    """Shows how many images of the current pass this rank has done (rank 0 only)."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the bar."""
        del pl_module
        if not trainer.is_global_zero:
            return
        name = getattr(trainer.datamodule, "current_pass", "label")  # type: ignore[attr-defined]
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        batches = sum(int(n) for n in trainer.num_predict_batches)
        self._task = self._progress.add_task(TITLES.get(name, name), total=batches)
        self._progress.start()

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        """One batch done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        del trainer, pl_module
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Closes the bar so that the message stands on a line of its own."""
        del trainer, pl_module, exception
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
