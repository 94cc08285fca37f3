"""Which parameters a training changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from relief.models.optimization.freezing import (
    fix_batch_statistics,
    freeze_all_but,
    freeze_batch_norms,
)
from relief.models.optimization.parameter_groups import decay_groups
from relief.schema.training_parts import TrainedParameters


class AllParameters(TrainedParameters):
    """All parameters that the network itself does not freeze; normalisation layers never decay."""

    def freeze(self, network: nn.Module) -> None:
        """Leaves the network as it is."""

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Two groups; see `decay_groups`."""
        return decay_groups(network)


class FixedStatistics(AllParameters):
    """All parameters; batch norms keep their statistics, such as those of two domains."""

    def freeze(self, network: nn.Module) -> None:
        """Fixes the statistics; see `fix_batch_statistics`."""
        fix_batch_statistics(network)


class NamedParameters(AllParameters):
    """Parts of a trained network; batch norms keep their statistics, wherever they lie.

    Args:
        trained: Parameters with one of these in their name are trained, ...
        frozen: ... unless one of these is in it too.
    """

    def __init__(
        self, trained: Sequence[str] = ("head",), frozen: Sequence[str] = ("norm",)
    ) -> None:
        self.trained, self.frozen = tuple(trained), tuple(frozen)

    def freeze(self, network: nn.Module) -> None:
        """Freezes batch norms and all but what is named; raises as `freeze_all_but`."""
        freeze_batch_norms(network)
        freeze_all_but(network, self.trained, self.frozen)
