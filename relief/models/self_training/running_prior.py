"""How often each class occurs, followed over a training."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from relief.ops.self_training.adaptive_labels import SEEN


class RunningPrior(nn.Module):
    """A running mean of class probabilities, the same in all processes; travels with checkpoints.

    A class that was never seen has the prior 0 and takes its first mean at once.

    Args:
        momentum: Share of the prior that stays at an update.
    """

    prior: Tensor

    def __init__(self, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("prior", torch.zeros(0))  # (C,) float32; 0 = not yet seen

    @torch.no_grad()
    def update_prior(self, probabilities: Tensor) -> None:
        """Moves the prior by one batch, (B, C, H, W), and those of the other processes."""
        mean = probabilities.float().mean(dim=(0, 2, 3))
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(mean)
            mean /= dist.get_world_size()
        if len(self.prior) == 0:
            self.prior = torch.zeros_like(mean)
        # `ops.update_prior` marks unseen classes by a value that a seen one may have too.
        moved = torch.lerp(mean, self.prior, self.momentum)
        first = torch.where(mean > SEEN, mean, 0.0)
        self.prior = torch.where(self.prior > 0, moved, first)

    def prior_or(self, unseen: float) -> Tensor:
        """Returns the prior (C,), with another value for classes that were never seen."""
        return torch.where(self.prior > 0, self.prior, unseen)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(f"{prefix}prior")
        if stored is not None:
            self.prior = torch.zeros_like(stored, device=self.prior.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)
