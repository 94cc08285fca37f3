"""The baseline without learning: what a few numbers of RGB per patch say."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance, no_weights

# Where typical photographs lie, so that mean, deviation and gradient count about alike once
# the labeller has normalised their length.
_CENTRE = (0.4, 0.4, 0.4, 0.12, 0.12, 0.12) + (0.06,) * 6
_SPREAD = (0.2, 0.2, 0.2, 0.07, 0.07, 0.07) + (0.04,) * 6


class RGBStatistics(nn.Module):
    """Mean, standard deviation and mean absolute gradient (both ways) of each channel per patch.

    Args:
        patch_px: Side of a patch.

    Attributes:
        dim: 12.
    """

    dim = 12

    def __init__(self, patch_px: int = 14) -> None:
        super().__init__()
        self.patch_px = patch_px
        centre, spread = torch.tensor(_CENTRE), torch.tensor(_SPREAD)
        self.register_buffer("centre", centre.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("spread", spread.view(1, -1, 1, 1), persistent=False)
        self.centre: Tensor
        self.spread: Tensor

    def setup(self) -> None:
        """Nothing to load."""

    @property
    def provenance(self) -> Provenance:
        """No weights."""
        return no_weights()

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, 12, H / patch, W / patch), about unit variance."""
        return (patch_statistics(image, self.patch_px) - self.centre) / self.spread


def patch_statistics(image: Tensor, patch_px: int) -> Tensor:
    """Mean, standard deviation, mean |dx| and mean |dy| of every channel of every patch.

    Args:
        image: (B, C, H, W), H and W multiples of `patch_px`.
        patch_px: Side of a patch.

    Returns:
        (B, 4 C, H / patch_px, W / patch_px).
    """
    mean = F.avg_pool2d(image, patch_px)
    variance = F.avg_pool2d(image.square(), patch_px) - mean.square()
    across = F.pad(image.diff(dim=-1).abs(), (0, 1, 0, 0))
    down = F.pad(image.diff(dim=-2).abs(), (0, 0, 0, 1))
    return torch.cat(
        [
            mean,
            variance.clamp(min=0).sqrt(),
            F.avg_pool2d(across, patch_px),
            F.avg_pool2d(down, patch_px),
        ],
        dim=1,
    )
