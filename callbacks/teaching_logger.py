"""Pictures of what a teacher says while it teaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.reports.figures.overlay import Picture, as_picture, paint_ids, palette_of
from relief.reports.figures.pictures import jpeg
from relief.schema.categories import cluster_color
from relief.schema.training_parts import TaughtPixels


class TeachingLogger(pl.Callback):
    """Writes what is learned of an unlabelled image, every so many steps.

    `OUT/overlays/step_N.jpg`: the image, the teacher's classes, how far each pixel passes the
    threshold of its class (green) or misses it (red), and the label.

    Args:
        every_n_steps: Optimizer steps between two.
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        self.every_n_steps = every_n_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Paints the first view of the batch where it is time to."""
        module = cast(Any, pl_module)
        pictures: TaughtPixels | None = module.criterion.pictures
        step = trainer.global_step
        if pictures is None or step % self.every_n_steps or not trainer.is_global_zero:
            return
        number = module.classes.num_categories
        path = Path(trainer.default_root_dir) / "overlays" / f"step_{step:06d}.jpg"
        write_bytes(path, jpeg(paint_taught(pictures, number)))


def paint_taught(pixels: TaughtPixels, num_categories: int) -> Picture:
    """Paints four pictures side by side, (H, 4 W, 3) uint8.

    Args:
        pixels: Of one image.
        num_categories: One more than the largest category.
    """
    palette = palette_of([cluster_color(c) for c in range(num_categories)])
    parts = (
        as_picture((pixels.image.clamp(0, 1) * 255).round().to(torch.uint8)),
        paint_ids(pixels.category, palette),
        _paint_margin(pixels.margin),
        paint_ids(pixels.label, palette),
    )
    return np.concatenate(parts, axis=1)


def _paint_margin(margin: Tensor) -> Picture:
    """Green where a pixel passes, red where it does not; the further, the brighter."""
    passes, misses = margin.clamp(0, 1), (-margin).clamp(0, 1)
    colors = torch.stack((misses, passes, torch.zeros_like(margin)))
    return as_picture((colors.sqrt() * 255).round().to(torch.uint8))
