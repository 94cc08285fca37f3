"""Training steps that can be repeated, and that end a training whose numbers are lost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import nn

from relief.schema.errors import TrainingDivergedError


class RepeatableSteps(pl.LightningModule):
    """The base of every training.

    Every random number of a step follows from `seed`, the step and the rank, so that a resumed
    training goes on as if it had never stopped.

    Attributes:
        seed: Of everything that is drawn.
    """

    seed: int

    def begin_step(self, batch_idx: int) -> None:
        """Sets the random numbers of a step, each of its micro-batches and each rank apart."""
        accumulated = self.trainer.accumulate_grad_batches
        number = self.global_step * accumulated + batch_idx % accumulated
        number = number * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.seed + number * 1_000_003)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stops before weights would become NaN; loss scaling leaves such steps out by itself.

        Raises:
            TrainingDivergedError: A gradient is not finite.
        """
        del optimizer
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if not torch.isfinite(nn.utils.get_total_norm(gradients, math.inf)):
            raise self.diverged("a gradient")

    def diverged(self, what: str, keys: Sequence[str] = ()) -> TrainingDivergedError:
        """Returns the error that ends a training whose numbers are no longer finite.

        Args:
            what: The number.
            keys: The images of the batch, where they are known.
        """
        images = f" (images {', '.join(keys)})" if keys else ""
        return TrainingDivergedError(
            f"{what} is not finite at step {self.global_step}{images}: the weights were left as "
            "they are. Lower the learning rate, or leave these images out."
        )
