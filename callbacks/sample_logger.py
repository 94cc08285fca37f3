"""A few validation images with what the network sees, as pictures of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from relief.formats.files.atomic import write_bytes
from relief.reports.figures.overlay import as_picture, paint_panoptic, palette_of
from relief.reports.figures.pictures import jpeg, resized
from relief.schema.batch import ImageBatch
from relief.schema.categories import cluster_color


class SampleLogger(pl.Callback):
    """Writes overlays of the first validation images to `OUT/overlays` and to TensorBoard.

    Args:
        num_images: How many, of the first rank.
    """

    def __init__(self, num_images: int = 4) -> None:
        self.num_images = num_images

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Paints the images of the first batches."""
        del dataloader_idx
        if batch_idx >= self.num_images or not trainer.is_global_zero:
            return
        if trainer.sanity_checking:
            return
        colors = [cluster_color(c) for c in range(cast(Any, pl_module).classes.num_categories)]
        images = cast(ImageBatch, batch)
        for key, image, panoptic in zip(
            images["key"], images["image"], outputs["panoptic"], strict=True
        ):
            size = (panoptic.shape[0], panoptic.shape[1])
            photograph = resized(as_picture((image * 255).round().to(torch.uint8)), size)
            picture = paint_panoptic(panoptic, palette_of(colors), photograph)
            self._write(trainer, key, picture)

    def _write(self, trainer: pl.Trainer, key: str, picture: np.ndarray[Any, Any]) -> None:
        name = key.replace("/", "_")
        path = Path(trainer.default_root_dir) / "overlays" / f"{name}.jpg"
        write_bytes(path, jpeg(picture))
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    f"val/{name}", picture, trainer.global_step, dataformats="HWC"
                )
