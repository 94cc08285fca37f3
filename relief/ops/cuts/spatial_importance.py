"""Spatial importance: where depth has edges, similarities of patches count differently.

Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024. What
is not published there is an option here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

Pairing = Literal["mean", "product"]
Direction = Literal["lift", "suppress"]
_FLAT = 1e-8


def spatial_importance(depth: Tensor, sigma: float = 3.0, beta: float = 0.45) -> Tensor:
    """How much each patch lies at an edge of depth.

    |G * D - D| with a Gaussian G, stretched to [beta, 1]; `beta` everywhere for constant depth.

    Args:
        depth: (h, w) float on the grid of patches; stretched to [0, 1] first.
        sigma: Of the Gaussian, in patches; truncated at 4 sigma, borders mirrored.
        beta: The least importance.

    Returns:
        (h, w) float64.
    """
    values = stretched(depth).cpu().numpy()
    edge = np.abs(gaussian_filter(values, sigma, mode="reflect", truncate=4.0) - values)
    span = float(edge.max() - edge.min())
    if span <= _FLAT:
        return torch.full(tuple(depth.shape), beta, dtype=torch.float64)
    return torch.from_numpy((1 - beta) * (edge - edge.min()) / span + beta)


def stretched(depth: Tensor) -> Tensor:
    """Depth as float64 with least value 0 and greatest 1; zeros where it is constant."""
    values = depth.detach().double()
    span = values.max() - values.min()
    return (values - values.min()) / span if float(span) > 0 else torch.zeros_like(values)


def sharpen(
    similarity: Tensor,
    importance: Tensor,
    pairing: Pairing = "mean",
    direction: Direction = "lift",
) -> Tensor:
    """Raises similarities to a power that depends on the importance of both patches.

    Args:
        similarity: (N, N) float; entries of at most 0 become 0 whatever the power.
        importance: (h, w) or (N,) in [0, 1].
        pairing: Importance of a pair: `mean` or `product` of both.
        direction: `lift`, the published formula: W^(1 - importance), similarity rises at edges.
            `suppress`, what its text says: W^(1 + importance).

    Returns:
        (N, N) float64, symmetric where `similarity` is.
    """
    values = similarity.detach().double()
    weights = importance.detach().to(values.device).double().reshape(-1)
    powers = values.clamp(min=0).pow_(exponents(weights, pairing, direction))
    return powers.masked_fill_(values <= 0, 0.0)


def exponents(importance: Tensor, pairing: Pairing, direction: Direction) -> Tensor:
    """(N, N) powers from the importance (N,) of all patches."""
    if pairing == "mean":
        pair = (importance / 2)[:, None] + (importance / 2)[None]
    else:
        pair = importance[:, None] * importance[None]
    return (pair.neg_() if direction == "lift" else pair).add_(1)
