"""Factors on the learning rate, by optimizer step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class WarmUp:
    """Rises linearly, then stays, falls by steps, or falls to zero along half a cosine.

    Attributes:
        steps: Optimizer steps of the rise; the first one is not zero.
        cosine: Whether the rate falls, to zero at the end of the training.
        decay_at: Optimizer steps from which on the rate is `decay` times what it was before.
        decay: That factor.
    """

    steps: int = 0
    cosine: bool = False
    decay_at: tuple[int, ...] = ()
    decay: float = 0.1

    def __call__(self, step: int, total: int) -> float:
        """The factor of an optimizer step, from 0, of a training of `total` steps."""
        if step < self.steps:
            return (step + 1) / (self.steps + 1)
        if not self.cosine:
            return self.decay ** sum(step >= start for start in self.decay_at)
        share = (step - self.steps) / max(1, total - self.steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
