"""The seams of how a network is taught: what is lost, who teaches, what is trained, how fast."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn

from relief.schema.training import TrainingBatch, TrainingMoment

RateSchedule = Callable[[int, int], float]
"""(Optimizer steps done, steps of the whole training) -> factor on the learning rate."""


class TaughtPixels(NamedTuple):
    """An image as a teacher sees it and what is learned of it; categories are those of labels."""

    image: Tensor  # (3, H, W) float32 in [0, 1]
    category: Tensor  # (H, W) int64, the most probable one
    margin: Tensor  # (H, W) float32, confidence less the threshold of the class
    label: Tensor  # (H, W) int64, the category that is learned, -1 = none


class Criterion(ABC):
    """Computes the losses of a network; the buffers of an `nn.Module` travel with checkpoints.

    Attributes:
        figures: Of the last batch, for the log: scalars by name.
        pictures: Of the last batch, for whoever looks.
    """

    figures: Mapping[str, Tensor] = MappingProxyType({})
    pictures: TaughtPixels | None = None

    @abstractmethod
    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The weighted losses by name, scalars; their sum is what is minimised.

        Args:
            network: What is trained, in training mode.
            batch: On the device of the network, augmented.
            moment: When it is; `moment.teacher` is the moving average, where there is one.
        """
        ...


class Teacher(ABC):
    """How a network that teaches comes from the one that learns; remembers nothing itself."""

    @abstractmethod
    def begin(self, student: nn.Module) -> nn.Module:
        """Makes the teacher: of the student's build, in evaluation mode, without gradients."""
        ...

    @abstractmethod
    def follow(self, teacher: nn.Module, student: nn.Module, step: int) -> None:
        """Moves the teacher, in place, after optimizer step number `step`, from 1.

        Steps that the optimizer leaves out, as loss scaling does, are none.
        """
        ...

    @abstractmethod
    def renew(self, teacher: nn.Module, student: nn.Module) -> None:
        """Makes the teacher, in place, what the student is now."""
        ...


class TrainedParameters(ABC):
    """Which parameters of a network are trained, and in which groups an optimizer takes them."""

    @abstractmethod
    def freeze(self, network: nn.Module) -> None:
        """Takes the gradient from what is not trained, in place; before any optimizer is made.

        Raises:
            UsageError: Nothing would be trained.
        """
        ...

    @abstractmethod
    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Parameters under `params`; other entries overrule the arguments of the optimizer."""
        ...
