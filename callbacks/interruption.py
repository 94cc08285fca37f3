"""SIGTERM and SIGINT stop a labelling run after the image at hand.

Lightning's predict loop ignores SIGTERM and reports success; here the run stops, says so, and
exits with 128 + the signal's number.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from relief.schema.errors import StoppedBySignal


class Interruption(pl.Callback):
    """Notes the signal at once and raises `StoppedBySignal` when the current batch is done."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._previous: dict[int, Any] = {}

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the two signals over from Lightning."""
        del trainer, pl_module
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._received = number

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stops here when a signal came; what was labelled is on the disk by now."""
        del trainer, pl_module, outputs, batch, batch_idx, dataloader_idx
        if self._received is not None:
            raise StoppedBySignal(self._received)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gives the signals back."""
        del trainer, pl_module
        self._give_back()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Gives the signals back."""
        del trainer, pl_module, exception
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
