"""Labels that are not sure are not learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relief.models.criteria.own_losses import OwnLosses
from relief.ops.objects.instance_targets import tidy_instances
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.schema.training import TrainingBatch, TrainingMoment
from relief.schema.training_parts import Criterion

HOW_TO_SAY = "Make them with --model.init_args.confidence configs/confidence/standing_things.yaml."


class SureLabels(Criterion):
    """Leaves out pixels and objects below a level of confidence, whatever the network.

    An object is as sure as the mean over its pixels; those of an object that is left out are
    ignored.

    Args:
        criterion: Gives the losses of the rest; those of the network itself unless given.
        pixels_above: Pixels that are less sure are ignored, by classes and by objects.
        objects_above: Objects that are less sure are none.

    Raises:
        UsageError: A level is not in [0, 1].
    """

    def __init__(
        self,
        criterion: Criterion | None = None,
        pixels_above: float = 0.0,
        objects_above: float = 0.0,
    ) -> None:
        if not (0 <= pixels_above <= 1 and 0 <= objects_above <= 1):
            msg = (
                f"pixels_above={pixels_above}, objects_above={objects_above}: expected 0 to 1. "
                "Give other levels."
            )
            raise UsageError(msg)
        self.criterion = criterion or OwnLosses()
        self.pixels_above, self.objects_above = pixels_above, objects_above

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The losses of what is sure, by name.

        Raises:
            UsageError: The labels do not say how sure they are.
        """
        return self.criterion(network, self.surest(batch), moment)

    def surest(self, batch: TrainingBatch) -> TrainingBatch:
        """Returns the batch without what is not sure, objects numbered anew."""
        confidence = confidence_of(batch)
        unsure = [
            torch.where(one > 0, _mean_over_objects(one, sure), 1.0) < self.objects_above
            for one, sure in zip(batch["instance"], confidence, strict=True)
        ]
        left_out = torch.stack(unsure) | (confidence < self.pixels_above)
        kept: TrainingBatch = {
            **batch,
            "semantic": batch["semantic"].masked_fill(left_out, VOID),
            "instance": batch["instance"].masked_fill(left_out, 0),
        }
        return tidy_instances(kept)


def confidence_of(batch: TrainingBatch) -> Tensor:
    """Returns how sure the labels of a batch are, (B, H, W).

    Raises:
        UsageError: They do not say.
    """
    if "confidence" not in batch:
        msg = f"the training asks how sure labels are, and they do not say. {HOW_TO_SAY}"
        raise UsageError(msg)
    return batch["confidence"]


def _mean_over_objects(instance: Tensor, confidence: Tensor) -> Tensor:
    """(H, W) float32 mean confidence of the object at each pixel."""
    number = instance.flatten()
    size = int(number.max()) + 1 if len(number) else 1
    total = confidence.new_zeros(size).index_add_(0, number, confidence.flatten())
    pixels = confidence.new_zeros(size).index_add_(0, number, torch.ones_like(confidence.flatten()))
    return (total / pixels.clamp(min=1))[instance]
