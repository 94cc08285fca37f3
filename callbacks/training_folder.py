"""A training's folder: what it was begun with is in every checkpoint and compared at the start."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from callbacks.checkpoint_files import newest_checkpoint, read_checkpoint, refuse_unreadable
from callbacks.metrics_csv import FIRST_COLUMNS
from relief.formats.files.atomic import write_text
from relief.schema.errors import UsageError, WeightsError
from relief.schema.training_settings import deciding_settings, training_differences

logger = logging.getLogger("relief.training")
BEGUN_WITH = "begun_with"  # in checkpoints
CHECKPOINTS = "checkpoints"
METRICS = "metrics.csv"
REPLACED = ("validate.json", "test.json", "overlays", "tensorboard")


class TrainingFolder(pl.Callback):
    """Finds what a training goes on from, and changes its folder once the training begins.

    Args:
        out: The folder.
        config: The resolved configuration of `train.py fit`, nested plain values.
        overwrite: Begin anew; what the folder holds of another training is removed.
        open_folder: Writes what belongs there from the first step on.
    """

    def __init__(
        self,
        out: Path,
        config: Mapping[str, Any],
        overwrite: bool,
        open_folder: Callable[[], None],
    ) -> None:
        self.out, self.config = out, config
        self.overwrite, self.open_folder = overwrite, open_folder
        self._begun: dict[str, Any] = {}
        self._compares = True

    def find_start(self, trainer: pl.Trainer, model: Any) -> None:
        """Gives the trainer the checkpoint to go on from, where there is one, and this callback.

        Raises:
            UsageError: A start cannot be read, or the training was begun with other settings.
        """
        folder = self.out / CHECKPOINTS
        if trainer.ckpt_path is None and not self.overwrite:
            newest = newest_checkpoint(folder)
            if newest is not None:
                path, content = newest
                trainer.ckpt_path = str(path)
                logger.info("going on from %s", path)
                self._begun = begun_with(path, content)
        elif trainer.ckpt_path is not None:
            self._compares = False
            self._begun = begun_with(trainer.ckpt_path, read_checkpoint(trainer.ckpt_path))
            if not self.overwrite and Path(trainer.ckpt_path).resolve().parent != folder.resolve():
                self._refuse_another_training(folder)
        if self.overwrite:
            self._refuse_to_remove({str(trainer.ckpt_path), *_texts(self.config)})
        settings = deciding_settings(self.config)
        settings |= {"processes": trainer.num_devices * trainer.num_nodes}
        self._compare(trainer, {**settings, "start": model.start_mark()})
        if trainer.ckpt_path is None:
            model.find_start()
        callbacks_of(trainer).insert(0, self)

    def compare_data(self, trainer: pl.Trainer, data: Any) -> None:
        """Reads some images and labels.

        Raises:
            UsageError: The training was begun with others.
            ReadError: Labels cannot be read.
        """
        data.setup("fit")
        self._compare(trainer, data.contents())

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the folder: all that the training needs is there and fits together.

        Raises:
            UsageError: A callback keeps what no checkpoint may hold, or the folder is closed to us.
        """
        del pl_module
        callbacks = callbacks_of(trainer)
        refuse_unreadable({type(part).__name__: part.state_dict() for part in callbacks})
        if trainer.is_global_zero:
            if self.overwrite:
                self._remove_another_training()
            self.open_folder()
        # Lightning opens the files of its loggers before it knows whether the start works.
        board = TensorBoardLogger(self.out, name="tensorboard", version="")
        trainer.loggers = [*trainer.loggers, board]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps what the training was begun with."""
        del trainer, pl_module
        checkpoint[BEGUN_WITH] = self._begun

    def _compare(self, trainer: pl.Trainer, now: Mapping[str, Any]) -> None:
        now = {name: value for name, value in now.items() if value is not None}
        changed = training_differences(self._begun, now) if self._compares else []
        if changed:
            more = f" ({len(changed) - 1} more differences)" if len(changed) > 1 else ""
            msg = (
                f"{self.out} was begun with {changed[0]}{more}. Use another folder or "
                f"--overwrite true, or go on all the same with --ckpt_path {trainer.ckpt_path}."
            )
            raise UsageError(msg)
        self._begun |= now

    def _refuse_another_training(self, folder: Path) -> None:
        if any(folder.glob("*.ckpt")):
            msg = f"{self.out} holds another training. Use another folder or --overwrite true."
            raise UsageError(msg)

    def _refuse_to_remove(self, inputs: set[str]) -> None:
        named = {Path(text).resolve() for text in inputs}
        for path in (self.out / CHECKPOINTS).glob("*.ckpt"):
            if path.resolve() in named:
                msg = (
                    f"--overwrite true would remove {path}, which this training begins with. "
                    "Use another folder (--out DIR)."
                )
                raise UsageError(msg)

    def _remove_another_training(self) -> None:
        """Checkpoints go first, the last one at their end: a stop in between mixes nothing."""
        found = (self.out / CHECKPOINTS).glob("*.ckpt")
        checkpoints = sorted(found, key=lambda path: path.stem == "last")
        try:
            for path in (*checkpoints, *(self.out / name for name in REPLACED)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"cannot remove {error.filename}: {error.strerror}. Use another folder."
            raise UsageError(msg) from error
        write_text(self.out / METRICS, ",".join(FIRST_COLUMNS) + "\n")  # people watch this file


def begun_with(path: Path | str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the training of a checkpoint was begun with; empty where it does not say.

    Raises:
        WeightsError: There is no training to go on with in it.
    """
    if not (content.get("optimizer_states") and content.get("loops")):
        msg = f"cannot go on from {path}: it holds weights, and no state of a training."
        raise WeightsError(msg)
    return dict(content.get(BEGUN_WITH, {}))


def callbacks_of(trainer: pl.Trainer) -> list[pl.Callback]:
    """Returns the callbacks of a trainer, in their order."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)
