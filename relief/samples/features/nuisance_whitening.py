"""Which directions of a feature space tell surfaces apart, found without labels.

Linear discriminants (Fisher 1936) with two stand-ins for "within a class": the same patch under
another light, and a patch beside it. Neighbours across a border are mostly the pairs that differ
most, so the most different pairs are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Whitening:
    """x -> (x - mean) W.

    Attributes:
        mean: (C,).
        directions: (C, D).
    """

    mean: Tensor
    directions: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, D, h, w)."""
        centred = features - self.mean.view(1, -1, 1, 1)
        return torch.einsum("bchw,cd->bdhw", centred, self.directions)


def fit_whitening(
    features: Tensor, relit: Tensor, dim: int, light_weight: float = 3.0, kept_pairs: float = 0.8
) -> Whitening:
    """Directions in which features vary most, measured by how they vary within a surface.

    Args:
        features: (B, C, h, w).
        relit: The same images under another light, (B, C, h, w).
        dim: Directions kept.
        light_weight: How much light counts against neighbourhood.
        kept_pairs: Share of the neighbouring pairs that is used, the most similar ones.

    Returns:
        A whitening under which the scatter within surfaces is the identity.
    """
    light = rows(features - relit)
    within = neighbour_scatter(features, kept_pairs) + light_weight * (light.T @ light) / len(light)
    within = within + 1e-3 * within.diagonal().mean() * torch.eye(len(within))
    values, vectors = torch.linalg.eigh(within)
    sphere = vectors / values.sqrt()
    every = rows(features)
    _, directions = torch.linalg.eigh(sphere.T @ torch.cov(every.T) @ sphere)
    return Whitening(every.mean(dim=0), sphere @ directions.flip(1)[:, :dim])


def neighbour_scatter(features: Tensor, kept_pairs: float) -> Tensor:
    """(C, C): mean outer product of the differences of neighbouring patches, the closest pairs."""
    differences = torch.cat([rows(features.diff(dim=2)), rows(features.diff(dim=3))])
    spread = rows(features).std(dim=0)
    distance = (differences / spread).square().sum(dim=1)
    closest = differences[distance <= distance.kthvalue(int(kept_pairs * len(distance))).values]
    return closest.T @ closest / len(closest)


def rows(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B h w, C)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)
