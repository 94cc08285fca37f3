"""Checkpoints: the last one to go on from, the best one by ground truth, one chosen without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from callbacks.checkpoint_files import WholeCheckpoints
from relief.models.segmenters.checkpoint import CHOICE_KEY, SELECTION_KEY
from relief.schema.errors import UsageError


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


class _ChosenCheckpoint(ModelCheckpoint):
    """Keeps one checkpoint by a figure and records in it how it was chosen.

    Args:
        chosen_by: What is recorded.
        key: Under which name: `SELECTION_KEY` where ground truth chose, else `CHOICE_KEY`.
        **settings: Of Lightning's `ModelCheckpoint`.
    """

    def __init__(self, chosen_by: str, key: str, **settings: Any) -> None:
        super().__init__(mode="max", save_top_k=1, enable_version_counter=False, **settings)
        self._chosen_by, self._key, self._is_saving = chosen_by, key, False

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
            checkpoint[self._key] = self._chosen_by


class BestCheckpoint(_ChosenCheckpoint):
    """`checkpoints/best.ckpt`: the best by a figure of the validation, and it says so.

    It is chosen with ground truth and records this; nothing takes it unless told to.

    Args:
        monitor: The figure, the larger the better.
    """

    def __init__(self, monitor: str = "val/pq") -> None:
        super().__init__(
            f"val ground truth ({monitor})",
            SELECTION_KEY,
            filename="best",
            monitor=monitor,
            save_on_train_epoch_end=False,
        )


class AgreedCheckpoint(_ChosenCheckpoint):
    """`checkpoints/agreed.ckpt`: where a figure of the training stood highest; no label chose it.

    For self-training: student and teacher agree on more pixels while both learn, and on fewer when
    what they teach each other falls apart. A batch says little, so that the mean over all steps
    since the last choice counts.

    Args:
        every_n_steps: Optimizer steps between two choices.
        figure: What is compared, as `metrics.csv` calls it, the larger the better.
    """

    def __init__(self, every_n_steps: int = 50, figure: str = "train/agreement") -> None:
        mean = f"{figure}, mean of {every_n_steps} steps"
        super().__init__(
            mean,
            CHOICE_KEY,
            filename="agreed",
            monitor=mean,
            every_n_train_steps=every_n_steps,
            save_on_train_epoch_end=True,
        )
        self.figure, self.every_n_steps = figure, every_n_steps
        self._seen: dict[int, Tensor] = {}  # by step, where they were computed

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any, **named: Any) -> None:
        """Remembers the figure of a step, then chooses where it is time to.

        Raises:
            UsageError: The training has no such figure.
        """
        if self.figure not in trainer.callback_metrics:
            msg = (
                f"agreed.ckpt is chosen by {self.figure}, which this training does not have. Name "
                "another figure of its metrics.csv, or leave AgreedCheckpoint out."
            )
            raise UsageError(msg)
        since = trainer.global_step - self.every_n_steps
        self._seen = {step: figure for step, figure in self._seen.items() if step > since}
        self._seen[trainer.global_step] = trainer.callback_metrics[self.figure].detach().clone()
        super().on_train_batch_end(trainer, *rest, **named)

    def _monitor_candidates(self, trainer: pl.Trainer) -> dict[str, Tensor]:
        """Beside Lightning's: the mean over the steps, and over all processes."""
        device = trainer.strategy.root_device
        figures = [figure.to(device) for figure in self._seen.values()]
        mean = torch.stack(figures).mean() if figures else torch.zeros((), device=device)
        reduced = cast(Tensor, trainer.strategy.reduce(mean, reduce_op="mean"))
        return {**super()._monitor_candidates(trainer), str(self.monitor): reduced}

    def state_dict(self) -> dict[str, Any]:
        """The figures of the last steps too."""
        seen = {step: float(figure) for step, figure in self._seen.items()}
        return {**super().state_dict(), "seen": seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on between two choices."""
        self._seen = {step: torch.tensor(figure) for step, figure in state_dict["seen"].items()}
        super().load_state_dict(state_dict)


def keep_checkpoints_in(trainer: pl.Trainer, folder: Path) -> None:
    """Makes all checkpoint callbacks of a trainer write into one folder, whole files only."""
    trainer.strategy.checkpoint_io = WholeCheckpoints()
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder)
