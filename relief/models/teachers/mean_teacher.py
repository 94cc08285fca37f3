"""The teacher: an exponential moving average of the student."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from relief.schema.errors import UsageError
from relief.schema.ranges import check_at_least
from relief.schema.training_parts import Teacher

Buffers = Literal["averaged", "copied", "kept"]


@dataclass(frozen=True)
class MeanTeacher(Teacher):
    """A moving average of the weights of the student (Tarvainen and Valpola, 2017).

    Attributes:
        decay: Share of the teacher that stays at an update, in [0, 1].
        every_n_steps: Optimizer steps from one update to the next.
        buffers: What becomes of floating point buffers (the statistics of batch norms); others
            (counters) are copied, unless buffers are kept.
        warm_up: The first updates have a lower decay, 1 - 1 / (n + 1) at update n: until then the
            average is the mean of all students.

    Raises:
        UsageError: A number is out of its range.
    """

    decay: float = 0.999
    every_n_steps: int = 1
    buffers: Buffers = "averaged"
    warm_up: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, every_n_steps=self.every_n_steps)
        if not 0 <= self.decay <= 1:
            msg = f"decay={self.decay}: expected 0 to 1. Give another number."
            raise UsageError(msg)

    def begin(self, student: nn.Module) -> nn.Module:
        """Copies the student; in evaluation mode, without gradients."""
        return copy.deepcopy(student).requires_grad_(False).eval()

    def follow(self, teacher: nn.Module, student: nn.Module, step: int) -> None:
        """Averages after every so many optimizer steps; `step` counts from 1."""
        number, rest = divmod(step, self.every_n_steps)
        if rest == 0:
            update_average(teacher, student, self.decay_at(number), self.buffers)

    def renew(self, teacher: nn.Module, student: nn.Module) -> None:
        """Copies weights and buffers of the student."""
        update_average(teacher, student, 0.0)

    def decay_at(self, number: int) -> float:
        """The decay of update `number`, from 1."""
        return min(self.decay, 1 - 1 / (number + 1)) if self.warm_up else self.decay


@torch.no_grad()
def update_average(
    teacher: nn.Module, student: nn.Module, decay: float, buffers: Buffers = "averaged"
) -> None:
    """Moves the teacher towards the student: teacher = decay * teacher + (1 - decay) * student.

    Call it once per optimizer step: called per micro-batch, as published, it averages over
    accumulation times fewer steps.

    Args:
        teacher: Changed in place; of the same build as the student, on the same device.
        student: Left as it is.
        decay: In [0, 1]; 0 copies the student, 1 leaves the teacher.
        buffers: As `MeanTeacher.buffers`.

    Raises:
        ValueError: The two have parameters or buffers of other names or shapes.
    """
    kept, new = _tensors(teacher), _tensors(student)
    if {name: value.shape for name, value in kept.items()} != {
        name: value.shape for name, value in new.items()
    }:
        msg = "teacher and student differ in the names or shapes of their tensors"
        raise ValueError(msg)
    parameters = dict(teacher.named_parameters())
    averaged = [
        name
        for name, value in kept.items()
        if value.is_floating_point() and (buffers == "averaged" or name in parameters)
    ]
    if averaged:
        torch._foreach_lerp_(
            [kept[name] for name in averaged], [new[name] for name in averaged], 1.0 - decay
        )
    for name in kept.keys() - set(averaged):
        if buffers != "kept" or name in parameters:
            kept[name].copy_(new[name])


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.named_parameters()) | dict(network.named_buffers())
