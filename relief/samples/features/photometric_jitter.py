"""Colours and light that could as well have been: what a surface is stays the same."""

from __future__ import annotations

import torch
from torch import Tensor


def photometric_jitter(image: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Another gain for each channel, another gamma, channels mixed, less contrast, some noise.

    Args:
        image: (B, 3, H, W) float32 in [0, 1].
        generator: Every image draws its own.
        strength: 0 changes nothing but noise.

    Returns:
        The same shape and range.
    """
    batch = len(image)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator) * strength

    mixing = torch.eye(3) + 0.25 * normal(3, 3)
    mixing = mixing.clamp(min=0)
    mixing = mixing / mixing.sum(dim=2, keepdim=True).clamp(min=1e-3)
    mixed = torch.einsum("bij,bjhw->bihw", mixing, image).clamp(min=1e-3)
    gamma = torch.exp(0.25 * normal(1, 1, 1))
    gain = torch.exp(0.25 * normal(3, 1, 1))
    noise = (
        torch.randn(image.shape, generator=generator)
        * 0.02
        * torch.rand(batch, 1, 1, 1, generator=generator)
    )
    return (mixed**gamma * gain + noise).clamp(0, 1)
