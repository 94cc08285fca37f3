"""Classes of pixels are learned as far as labels are sure of them."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from relief.models.criteria.sure_labels import confidence_of
from relief.ops.self_training.confident_loss import confident_focal_loss
from relief.schema.training import SemanticLogits, TrainingBatch, TrainingMoment
from relief.schema.training_parts import Criterion


class ConfidentSemantics(Criterion):
    """Cross entropy of a semantic network with each pixel weighted by its confidence.

    The mean over all pixels, so that unsure images count less; ignored pixels count 0. With a
    confidence of 1 it is the loss of `relief.models.segmenters.semantic_network.SemanticNetwork`.
    """

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """Gives `loss_semantic`.

        Raises:
            UsageError: The labels do not say how sure they are.
        """
        del moment
        confidence = confidence_of(batch)
        logits = cast(SemanticLogits, network).logits(batch["image"])
        prior = logits.new_zeros(logits.shape[1])
        loss = confident_focal_loss(logits, batch["semantic"], confidence, prior, power=0.0)
        return {"loss_semantic": loss}
