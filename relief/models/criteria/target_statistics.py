"""Batch norms that know two domains while one of them is learned."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from relief.models.criteria.own_losses import OwnLosses
from relief.schema.training import (
    SemanticLogits,
    TrainingBatch,
    TrainingMoment,
    unlabelled_images,
)
from relief.schema.training_parts import Criterion


class TargetStatistics(Criterion):
    """Lets the network see unlabelled images after the labelled ones: only its statistics move.

    The running mean and variance of batch norms become a mix of both domains, the target last;
    gradients, and so the weights, are what they are without it (the baseline of Araslanov and
    Roth, 2021).

    Args:
        criterion: Gives the losses; those of the network itself unless given.
    """

    def __init__(self, criterion: Criterion | None = None) -> None:
        self.criterion = criterion or OwnLosses()

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The losses of the labelled images, by name."""
        losses = self.criterion(network, batch, moment)
        with torch.no_grad():
            cast(SemanticLogits, network).logits(unlabelled_images(batch))
        return losses
