"""Says early how long a labelling run is going to take and how much disk it needs."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytorch_lightning as pl

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
