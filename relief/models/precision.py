"""The precision in which networks compute; what follows them stays in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]


def run_in(network: nn.Module, precision: Precision) -> None:
    """Lets a network compute in a precision from now on, wherever it is called.

    Under `bfloat16` its `forward` runs under autocast and gives float32 all the same. Similarities,
    depth edges and splitting, which come after it, are not reached.

    Args:
        network: Features or depth; its `forward` returns a tensor.
        precision: May be changed again.
    """
    network.__dict__.pop("forward", None)
    if precision == "float32":
        return
    forward: Callable[..., Tensor] = network.forward

    @wraps(forward)
    def in_bfloat16(image: Tensor, *rest: Any, **named: Any) -> Tensor:
        with torch.autocast(image.device.type, torch.bfloat16):
            return forward(image, *rest, **named).float()

    network.forward = in_bfloat16
