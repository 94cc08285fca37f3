"""SIGTERM and SIGINT stop a run after the batch at hand.

Lightning's predict loop ignores SIGTERM and reports success, and its way to tell the processes of
a training hangs in a collective; here the run stops, says so, and exits with 128 + the signal's
number.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch

from relief.processes.signals import note_signal, noted_signal, take_signals
from relief.schema.errors import StoppedBySignal


class Interruption(pl.Callback):
    """Notes the signal at once and raises `StoppedBySignal` when the batch at hand is done.

    Between passes and while results are put together a signal stops the run there and then: no
    image is at hand. The processes that this one started hear of the signal too; those of a
    training stop at the same batch.
    """

    def __init__(self) -> None:
        self._trainer: pl.Trainer | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Takes the two signals over from Lightning as soon as it has taken them."""
        del pl_module, stage
        if self._trainer is trainer:
            return
        self._trainer = trainer
        connector = trainer._signal_connector
        register = connector.register_signal_handlers

        def register_and_take() -> None:
            register()
            take_signals(self._note)

        connector.register_signal_handlers = register_and_take  # type: ignore[method-assign]

    def on_predict_batch_start(self, *_: Any, **__: Any) -> None:
        """Stops here when a signal came: all callbacks are done with the batch before."""
        stop_when_noted()

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Stops here when a signal came to any process."""
        stop_together(trainer)

    def on_validation_batch_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """As `on_train_batch_start`."""
        stop_together(trainer)

    def on_test_batch_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """As `on_train_batch_start`."""
        stop_together(trainer)

    def on_predict_epoch_end(self, *_: Any) -> None:
        """From here on nothing is waited for."""
        take_signals(self._stop)
        stop_when_noted()

    def on_exception(self, *_: Any) -> None:
        """The run ends already: another signal must not break what it still writes."""
        take_signals(self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        launcher = None if self._trainer is None else self._trainer.strategy.launcher
        if launcher is not None and noted_signal() is None:
            launcher.kill(number)
        note_signal(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._note(number, frame)
        raise StoppedBySignal(number)


def stop_when_noted() -> None:
    """Raises `StoppedBySignal` when a signal came."""
    number = noted_signal()
    if number is not None:
        raise StoppedBySignal(number)


def stop_together(trainer: pl.Trainer) -> None:
    """Raises `StoppedBySignal` in all processes of a training when a signal came to any of them.

    One that stopped alone would leave the others in a collective that never ends.
    """
    number = noted_signal() or 0
    if trainer.world_size > 1:
        here = torch.tensor(number, device=trainer.strategy.root_device)
        number = int(trainer.strategy.reduce(here, reduce_op="max"))
    if number:
        raise StoppedBySignal(number)
