"""Checkpoints as files: written whole, read without running anything, told when they cannot be."""

from __future__ import annotations

import io
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from relief.formats.files.atomic import whole_file
from relief.models.weights.files import refuse_not_finite
from relief.schema.errors import UsageError, WeightsError

logger = logging.getLogger("relief.training")
OF_A_TRAINING = {"state_dict", "pytorch-lightning_version"}
WEIGHTS = ("state_dict", "optimizer_states")


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their target and reads those of this machine.

    Lightning's own way fills `$TMPDIR` first, and gets what addresses name and runs what it holds.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Writes a checkpoint whole or not at all.

        Raises:
            UsageError: It holds what could not be read again.
            WriteError: The disk is full, or the folder cannot be written.
        """
        del storage_options
        states = {k: v for k, v in checkpoint.items() if k not in WEIGHTS}
        with whole_file(path) as file:
            refuse_unreadable(states)
            torch.save({**checkpoint, **plain_numbers(states)}, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Reads a checkpoint; nothing it holds is run, whatever `weights_only` says.

        Raises:
            UsageError: See `read_checkpoint`; or it is of a training that diverged.
        """
        del weights_only
        checkpoint = read_checkpoint(local_checkpoint(path), map_location)
        refuse_not_finite(checkpoint["state_dict"], path)
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


def newest_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Reads `last.ckpt` of a folder, or the newest other checkpoint when it cannot be read.

    `best.ckpt` was chosen with ground truth: it is only taken when it is the only one.

    Returns:
        The file and what it holds; `None` where there is no checkpoint to go on from.

    Raises:
        UsageError: There are checkpoints, and none can be read; or the folder cannot.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".ckpt"]
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"cannot read {folder}: {error.strerror}. Use another folder (--out DIR)."
        raise UsageError(msg) from error
    found = [path for path in found if path.stem != "best"] or found
    refusals: list[WeightsError] = []
    for path in sorted(found, key=_by_age, reverse=True):
        try:
            content = read_checkpoint(path)
        except WeightsError as error:
            refusals.append(error)
            continue
        for refusal in refusals:
            logger.warning("warning: %s Going on from %s.", refusal, path.name)
        return path, content
    if refusals:
        msg = f"{refusals[0]} Name another with --ckpt_path FILE, or begin anew: --overwrite true."
        raise UsageError(msg)
    return None


def checkpoint_to_measure(folder: Path) -> Path:
    """Returns the checkpoint that `newest_checkpoint` takes; raises as it does, or without one."""
    newest = newest_checkpoint(folder)
    if newest is None:
        msg = f"no checkpoint: {folder}. Give --ckpt_path FILE or --out DIR."
        raise UsageError(msg)
    logger.info("measuring %s", newest[0])
    return newest[0]


def _by_age(path: Path) -> tuple[bool, float]:
    return path.stem == "last", path.lstat().st_mtime


def read_checkpoint(path: str | Path, map_location: Any | None = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of a training; nothing it holds is run.

    Raises:
        WeightsError: It cannot be read, holds code, or is no checkpoint of a training.
    """
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a cut or foreign file fails in many ways
        msg = f"cannot read checkpoint {path}: {_reason(error)}."
        raise WeightsError(msg) from error
    if not isinstance(content, dict) or not content.keys() >= OF_A_TRAINING:
        msg = f"cannot read checkpoint {path}: it is none of a `train.py fit` run."
        raise WeightsError(msg)
    return content


def refuse_unreadable(content: Mapping[str, Any]) -> None:
    """Refuses what would be written into a checkpoint and could not be read again.

    Args:
        content: By the name that people know.

    Raises:
        UsageError: With the name of the first such entry.
    """
    for name, value in content.items():
        file = io.BytesIO()
        try:
            torch.save(plain_numbers(value), file)
            file.seek(0)
            torch.load(file, weights_only=True)
        except (pickle.PickleError, AttributeError, TypeError) as error:
            msg = f"{name} cannot be kept in checkpoints: {_reason(error)}."
            raise UsageError(msg) from error


def plain_numbers(value: Any) -> Any:
    """Returns nested dictionaries and lists with numpy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {name: plain_numbers(inner) for name, inner in value.items()}
    return type(value)(map(plain_numbers, value)) if type(value) in (list, tuple) else value


def _reason(error: Exception) -> str:
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code is not None:
        return f"it holds {code[1]}, and only tensors and plain values are read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "Weights only load failed" in str(error):
        return "it is damaged, or no file of torch"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
