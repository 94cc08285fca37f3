"""What of a trained network goes on learning, and what stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from relief.models.segmenters.detectron2_parts import FrozenBatchNorm2d
from relief.schema.errors import UsageError


def freeze_all_but(
    network: nn.Module, trained: Sequence[str] = ("head",), frozen: Sequence[str] = ("norm",)
) -> list[str]:
    """Freezes every parameter but those of a few parts; no gradient is computed for the others.

    The published code gives the optimizer the same parameters, but leaves `requires_grad` as it is
    and computes gradients of the whole network.

    Args:
        network: Changed in place.
        trained: Parameters with one of these in their name are trained, ...
        frozen: ... unless one of these is in it too.

    Returns:
        The names of the parameters that are trained, in the order of the network.

    Raises:
        UsageError: Nothing would be trained.
    """
    names = []
    for name, parameter in network.named_parameters():
        learns = any(part in name for part in trained) and not any(part in name for part in frozen)
        parameter.requires_grad_(learns)
        if learns:
            names.append(name)
    if not names:
        msg = (
            f"nothing to train: no parameter is named like {list(trained)} and unlike "
            f"{list(frozen)}. Name parts of the network."
        )
        raise UsageError(msg)
    return names


def freeze_batch_norms(network: nn.Module) -> None:
    """Turns batch norms, synchronised ones too, into fixed scales and shifts, in place.

    In evaluation mode the network computes what it did before, in training mode now the same. The
    scales are buffers from then on. The names in the state dict stay.

    Args:
        network: Itself not a batch norm.
    """
    FrozenBatchNorm2d.convert_frozen_batchnorm(network)
