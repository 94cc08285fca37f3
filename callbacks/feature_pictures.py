"""Pictures of the features that a head has learned so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.reports.figures.feature_picture import paint_features
from relief.reports.figures.pictures import jpeg
from relief.schema.batch import ImageBatch


class FeaturePictures(pl.Callback):
    """Writes `OUT/overlays/features_STEP.jpg`: the same few images above their features.

    Args:
        every_n_steps: Optimizer steps between two pictures.
        num_images: Of the first batch.
    """

    def __init__(self, every_n_steps: int = 100, num_images: int = 4) -> None:
        self.every_n_steps, self.num_images = every_n_steps, num_images
        self._images: Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Paints where a picture is due, and at the end."""
        del outputs
        step = trainer.global_step
        if not trainer.is_global_zero:
            return
        if self._images is None:
            self._images = cast(ImageBatch, batch)["image"][: self.num_images].cpu()
        if step % self.every_n_steps and step != trainer.max_steps:
            return
        with torch.no_grad():
            features = pl_module.features(self._images.to(pl_module.device)).cpu()
        path = Path(trainer.default_root_dir) / "overlays" / f"features_{step:06d}.jpg"
        write_bytes(path, jpeg(paint_features(self._images, features)))
