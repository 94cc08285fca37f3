"""Says early how long a run is going to take, and how much disk or memory it needs."""

from __future__ import annotations

import logging
import math
import resource
import time
from typing import Any

import pytorch_lightning as pl
import torch

BYTES_PER_PIXEL = 0.15  # both label files of an image with many small regions, measured
log = logging.getLogger("relief")


def in_words(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class RunEstimate(pl.Callback):
    """After the second image of the first pass: images, expected time and disk.

    The first image is left out, for it warms up libraries and devices. Where nothing is left after
    the second one, nothing is said.
    """

    def __init__(self) -> None:
        self._start: float | None = None
        self._told = False

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Takes the time between the first two batches."""
        del pl_module, outputs, dataloader_idx
        if self._told or not trainer.is_global_zero:
            return
        if self._start is None:
            self._start = time.perf_counter()
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        seconds = (time.perf_counter() - self._start) / max(1, len(batch["key"]))
        self._told = True
        left = data.images_left(batch_idx + 1) / trainer.world_size
        if left == 0:
            return
        height, width = batch["image"].shape[-2:]
        megabytes = data.images_to_label * height * width * BYTES_PER_PIXEL / 1e6
        log.info(
            "%d images to label: about %s (%.2f s an image in each pass) and %.0f MB on the disk",
            data.images_to_label,
            in_words(seconds * left),
            seconds,
            max(1, megabytes),
        )


class TrainingEstimate(pl.Callback):
    """After the third step of a training: how long the others take, and the memory in use.

    The first step is left out, for it warms up libraries and devices. Where no step is left, or a
    training has no end, nothing is said. Measuring between epochs comes on top.
    """

    def __init__(self) -> None:
        self._start: tuple[int, float] | None = None
        self._told = False

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Takes the time between the first and the third step."""
        del outputs, batch, batch_idx
        if self._told or not trainer.is_global_zero:
            return
        step, now = trainer.global_step, time.perf_counter()
        if self._start is None:
            self._start = (step, now)
            return
        first, begun = self._start
        if step < first + 2:
            return
        self._told = True
        left = trainer.estimated_stepping_batches - step
        if left <= 0 or not math.isfinite(left):
            return
        seconds = (now - begun) / (step - first)
        log.info(
            "%d steps to go: about %s (%.2f s a step), measuring apart; %s",
            left,
            in_words(seconds * left),
            seconds,
            memory_in_use(pl_module.device),
        )


def memory_in_use(device: torch.device) -> str:
    """Says the most memory that this process has held: of its GPU, else of the machine."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_reserved(device) / 2**30:.1f} GiB of GPU memory"
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10
    return f"{held / 2**30:.1f} GiB of memory"
