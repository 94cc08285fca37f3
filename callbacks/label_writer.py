"""Writes labels as they come, image by image, atomically."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from relief.formats.label_run import LabelRun
from relief.schema.batch import PanopticPrediction


class LabelWriter(BasePredictionWriter):
    """Writes `semantic/KEY.png` and `panoptic/KEY.png`; notes the images that failed.

    The other passes of a run predict nothing (`None`) and are passed over.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: PanopticPrediction | None,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Writes one batch."""
        del pl_module, batch_indices, batch, batch_idx, dataloader_idx
        if prediction is None:
            return
        run = LabelRun(Path(trainer.default_root_dir))
        for key, semantic, panoptic in zip(
            prediction["key"], prediction["semantic"], prediction["panoptic"], strict=True
        ):
            run.write(key, semantic.cpu(), panoptic.cpu())
        for failure in prediction["failures"]:
            run.record_failure(failure)
