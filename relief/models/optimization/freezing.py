"""Freezing of parts of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relief.schema.errors import UsageError


class FrozenBatchNorm(nn.Module):
    """A batch norm as a fixed scale and shift; its names in the state dict stay, all are buffers.

    Args:
        norm: What it takes the place of; its statistics are used, not copied.
    """

    running_mean: Tensor
    running_var: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.BatchNorm2d | nn.SyncBatchNorm) -> None:
        super().__init__()
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            msg = "a batch norm without statistics has nothing to be frozen"
            raise ValueError(msg)
        weight = torch.ones_like(mean) if norm.weight is None else norm.weight.detach().clone()
        bias = torch.zeros_like(mean) if norm.bias is None else norm.bias.detach().clone()
        self.eps = norm.eps
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", variance)
        self.register_buffer("num_batches_tracked", norm.num_batches_tracked)

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, H, W) -> the same, normalised by the statistics in every mode."""
        return F.batch_norm(
            values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


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
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d | nn.SyncBatchNorm):
            network.add_module(name, FrozenBatchNorm(child))
        else:
            freeze_batch_norms(child)


class FixedStatisticsNorm(nn.BatchNorm2d):
    """A batch norm that keeps its running statistics; scale and shift go on learning."""

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, which is that of the statistics."""
        del mode
        return super().train(False)


def fix_batch_statistics(network: nn.Module) -> None:
    """Lets batch norms normalise by their running statistics in every mode, in place.

    Args:
        network: Itself not a batch norm.
    """
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            fixed = FixedStatisticsNorm(child.num_features, child.eps, child.momentum)
            fixed.load_state_dict(child.state_dict())
            network.add_module(name, fixed.to(child.weight.device).eval())
        else:
            fix_batch_statistics(child)
