"""Two checkpoints: the last one to go on from, and the best one by a named figure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from relief.formats.atomic import whole_file
from relief.models.weights.files import refuse_not_finite
from relief.schema.errors import UsageError
from relief.schema.training_settings import training_differences

logger = logging.getLogger("relief.training")


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

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        keep_previous(trainer, Path(filepath))
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
            keep_previous(trainer, path)
            trainer.save_checkpoint(path)


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


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their target and reads those of this machine.

    Lightning's own way fills `$TMPDIR` first, and gets what addresses name and runs what it holds.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Writes a checkpoint whole or not at all.

        Raises:
            WriteError: The disk is full, or the folder cannot be written.
        """
        del storage_options
        with whole_file(path) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Reads a checkpoint; nothing it holds is run, whatever `weights_only` says.

        Raises:
            UsageError: It is no file of this machine, or of a training that diverged.
        """
        del weights_only
        checkpoint: dict[str, Any] = torch.load(
            local_checkpoint(path), map_location=map_location, weights_only=True
        )
        refuse_not_finite(checkpoint.get("state_dict", {}), path)
        for optimizer in checkpoint.get("optimizer_states", ()):
            for number, state in optimizer["state"].items():
                moments = {f"optimizer.{number}.{name}": value for name, value in state.items()}
                refuse_not_finite(moments, path)
        return checkpoint


def local_checkpoint(path: str | Path) -> Path:
    """Returns the path of a checkpoint on this machine.

    Raises:
        UsageError: There is no such file; addresses and Lightning's words (`best`) are none.
    """
    if not Path(path).is_file():
        msg = f"no checkpoint: {path}. Give --ckpt_path a file on this machine."
        raise UsageError(msg)
    return Path(path)


def keep_previous(trainer: pl.Trainer, path: Path) -> None:
    """Renames a checkpoint that is going to be replaced to `previous.ckpt`."""
    if trainer.is_global_zero and path.exists():
        path.replace(path.with_name("previous.ckpt"))


def keep_checkpoints_in(trainer: pl.Trainer, folder: Path) -> None:
    """Makes all checkpoint callbacks of a trainer write into one folder, whole files only."""
    trainer.strategy.checkpoint_io = WholeCheckpoints()
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder)


def newest_checkpoint(folder: Path) -> Path | None:
    """`last.ckpt` of a folder, or the newest other checkpoint when it cannot be read.

    `best.ckpt` was chosen with ground truth: it is only taken when nothing else can be read.

    Returns:
        `None` where there is no checkpoint to go on from.
    """
    found = sorted(
        folder.glob("*.ckpt"),
        key=lambda path: (path.stem == "last", path.stem != "best", path.stat().st_mtime),
        reverse=True,
    )
    unreadable: list[Path] = []
    for path in found:
        if is_readable(path):
            for skipped in unreadable:
                logger.warning(
                    "warning: %s is not readable, resuming from %s", skipped.name, path.name
                )
            return path
        unreadable.append(path)
    if unreadable:
        logger.warning("warning: %s is not readable, starting anew", unreadable[0].name)
    return None


def refuse_other_settings(run: Path, settings: Mapping[str, Any], checkpoint: Path) -> None:
    """Stops a training that is to go on with other settings than it began with.

    Args:
        run: `run.yaml` of the folder; where there is none, nothing is compared.
        settings: The resolved configuration now.
        checkpoint: What it would go on from.

    Raises:
        UsageError: Something that decides the result differs.
    """
    if not run.is_file():
        return
    begun = yaml.safe_load(run.read_text(encoding="utf-8")) or {}
    changed = training_differences(begun.get("fit", {}), settings["fit"])
    if changed:
        more = f" ({len(changed) - 1} more differences)" if len(changed) > 1 else ""
        msg = (
            f"{run.parent} was begun with {changed[0]}{more}. Use another folder or "
            f"--overwrite true, or go on all the same with --ckpt_path {checkpoint}."
        )
        raise UsageError(msg)


def is_readable(path: Path) -> bool:
    """Whether a checkpoint loads whole; nothing it holds is run."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a cut or foreign file fails in many ways
        return False
    return True
