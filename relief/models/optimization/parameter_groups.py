"""Parameters by how an optimizer should treat them."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn import Parameter


def decay_groups(network: nn.Module) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: normalisation layers never decay.

    A layer is a normalisation layer when its class is called one (`BatchNorm2d`, `GroupNorm`,
    `LayerNorm`, ...), so that those of other libraries count too. The others decay as the
    optimizer says.
    """
    norms: list[Parameter] = []
    others: list[Parameter] = []
    for module in network.modules():
        is_norm = "norm" in type(module).__name__.lower()
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                (norms if is_norm else others).append(parameter)
    return [{"params": others}, {"params": norms, "weight_decay": 0.0}]
