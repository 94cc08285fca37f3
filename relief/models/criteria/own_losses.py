"""The losses that a network brings itself."""

from __future__ import annotations

from torch import Tensor, nn

from relief.schema.training import TrainingBatch, TrainingMoment
from relief.schema.training_parts import Criterion


class OwnLosses(Criterion):
    """Asks the network for its losses, as `Segmenter.__call__` gives them."""

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The weighted losses by name; see `Criterion`."""
        losses: dict[str, Tensor] = network(batch, moment)
        return losses
