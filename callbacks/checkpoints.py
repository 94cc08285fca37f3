"""Two checkpoints: the last one to go on from, and the best one by a named figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from callbacks.checkpoint_files import WholeCheckpoints


class LastCheckpoint(ModelCheckpoint):
    """`checkpoints/last.ckpt`, replaced every so many optimizer steps.

    The one before stays as `previous.ckpt`: a machine that dies while it writes leaves one of the
    two whole.

    Args:
        every_n_steps: Optimizer steps between two.
    """

    def __init__(self, every_n_steps: int = 200) -> None:
        super().__init__(
            filename="last",
            every_n_train_steps=every_n_steps,
            save_top_k=1,
            enable_version_counter=False,
        )
        self._has_saved = False

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        self._keep_previous(trainer, Path(filepath))
        super()._save_checkpoint(trainer, filepath)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keeps the step of the log that of the optimizer.

        Lightning counts it apart; after some checkpoints it goes on one too high.
        """
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The end of the training is saved too, whatever its number."""
        super().on_train_end(trainer, pl_module)
        if trainer.global_step != self._last_global_step_saved:
            path = Path(self.dirpath or "") / "last.ckpt"
            self._keep_previous(trainer, path)
            trainer.save_checkpoint(path)

    def _keep_previous(self, trainer: pl.Trainer, path: Path) -> None:
        """Renames what is going to be replaced to `previous.ckpt`, unless it was passed over."""
        is_good = self._has_saved or trainer.ckpt_path == str(path)
        if trainer.is_global_zero and path.exists() and is_good:
            path.replace(path.with_name("previous.ckpt"))
        self._has_saved = True


class BestCheckpoint(ModelCheckpoint):
    """`checkpoints/best.ckpt`: the best by a figure of the validation, and it says so.

    It is chosen with ground truth and records this; nothing takes it unless told to.

    Args:
        monitor: The figure, the larger the better.
    """

    def __init__(self, monitor: str = "val/pq") -> None:
        super().__init__(
            filename="best",
            monitor=monitor,
            mode="max",
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=False,
        )
        self._is_saving = False

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        self._is_saving = True
        try:
            super()._save_checkpoint(trainer, filepath)
        finally:
            self._is_saving = False

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Records how this checkpoint was chosen."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._is_saving:
            checkpoint["selection"] = f"val ground truth ({self.monitor})"


def keep_checkpoints_in(trainer: pl.Trainer, folder: Path) -> None:
    """Makes all checkpoint callbacks of a trainer write into one folder, whole files only."""
    trainer.strategy.checkpoint_io = WholeCheckpoints()
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder)
