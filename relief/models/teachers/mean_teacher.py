"""The teacher: an exponential moving average of the student."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_average(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Moves the teacher towards the student: teacher = decay * teacher + (1 - decay) * student.

    Parameters and floating point buffers (the statistics of batch norms) are averaged, other
    buffers (counters) are copied. Call it once per optimizer step: called per micro-batch, as
    published, it averages over accumulation times fewer steps.

    Args:
        teacher: Changed in place; of the same build as the student, on the same device.
        student: Left as it is.
        decay: In [0, 1]; 0 copies the student, 1 leaves the teacher.

    Raises:
        ValueError: The two have parameters or buffers of other names or shapes.
    """
    kept, new = _tensors(teacher), _tensors(student)
    if {name: value.shape for name, value in kept.items()} != {
        name: value.shape for name, value in new.items()
    }:
        msg = "teacher and student differ in the names or shapes of their tensors"
        raise ValueError(msg)
    averaged = [name for name, value in kept.items() if value.is_floating_point()]
    if averaged:
        torch._foreach_lerp_(
            [kept[name] for name in averaged], [new[name] for name in averaged], 1.0 - decay
        )
    for name in kept.keys() - set(averaged):
        kept[name].copy_(new[name])


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.named_parameters()) | dict(network.named_buffers())
