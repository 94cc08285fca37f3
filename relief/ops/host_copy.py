"""Tensors on their way from a device to the CPU, while the device goes on computing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HostCopy:
    """Tensors that are being copied to the CPU; of a CUDA device into pinned memory.

    Example:
        >>> HostCopy.of(torch.ones(2), None).wait()
        [tensor([1., 1.]), None]
    """

    _tensors: list[Tensor | None]
    _arrival: torch.cuda.Event | None

    @classmethod
    def of(cls, *tensors: Tensor | None) -> HostCopy:
        """Begins to copy; none of the tensors may change before it has arrived.

        Args:
            *tensors: Of one device.
        """
        copies = [one if one is None else one.to("cpu", non_blocking=True) for one in tensors]
        if not any(one is not None and one.is_cuda for one in tensors):
            return cls(copies, None)
        arrival = torch.cuda.Event(blocking=True)  # whoever waits sleeps meanwhile
        arrival.record()
        return cls(copies, arrival)

    def wait(self) -> list[Tensor | None]:
        """Returns the copies once they have arrived; any thread may ask."""
        if self._arrival is not None:
            self._arrival.synchronize()
        return self._tensors
