"""SIGTERM and SIGINT stop a labelling run after the image at hand.

Lightning's predict loop ignores SIGTERM and reports success; here the run stops, says so, and
exits with 128 + the signal's number.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from relief.schema.errors import StoppedBySignal

SIGNALS = (signal.SIGTERM, signal.SIGINT)
Handler = Callable[[int, FrameType | None], Any]


class Interruption(pl.Callback):
    """Notes the signal at once and raises `StoppedBySignal` when the batch at hand is done.

    Between passes and while the results are put together a signal stops the run there and then:
    no image is at hand. The processes that this one started hear of the signal too.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._trainer: pl.Trainer | None = None

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the two signals over from Lightning."""
        del pl_module
        self._trainer = trainer
        take_signals(self._note)

    def on_predict_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stops here when a signal came: all callbacks are done with the batch before."""
        del trainer, pl_module, batch, batch_idx, dataloader_idx
        if self._received is not None:
            raise StoppedBySignal(self._received)

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on nothing is waited for."""
        del trainer, pl_module
        take_signals(self._stop)
        if self._received is not None:
            raise StoppedBySignal(self._received)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The run ends already: another signal must not break what it still writes."""
        del trainer, pl_module, exception
        take_signals(self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        launcher = None if self._trainer is None else self._trainer.strategy.launcher
        if launcher is not None and self._received is None:
            launcher.kill(number)
        self._received = number

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._note(number, frame)
        raise StoppedBySignal(number)


def take_signals(handler: Any) -> None:
    """Makes a function hear of both signals; only the main thread can."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, handler)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """While it lasts both signals raise `StoppedBySignal`, where a callback does not say more."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        take_signals(signal.SIG_IGN)  # once is enough
        raise StoppedBySignal(number)

    before = [signal.getsignal(number) for number in SIGNALS]
    take_signals(stop)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in zip(SIGNALS, before, strict=True):
                signal.signal(number, handler)
