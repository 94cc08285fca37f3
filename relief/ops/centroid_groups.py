"""Clusters that look alike, merged without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor


@dataclass(frozen=True)
class CentroidGroups:
    """Groups of centroids, numbered in the order of their first member.

    Attributes:
        groups: (k,) int64, 0..G-1.
        mean_distance: Mean cosine distance between two centroids.
        cut: Cosine distance up to which groups were merged.
    """

    groups: NDArray[np.int64]
    mean_distance: float
    cut: float


def group_centroids(centroids: Tensor, merge_fraction: float = 0.5) -> CentroidGroups:
    """Merges centroids by average linkage of their cosine distances.

    Groups are merged while the mean distance between their members is at most a fraction of the
    mean distance between all centroids: a scale that the features bring with them.

    Args:
        centroids: (k, C) float.
        merge_fraction: That fraction; 0 merges nothing, above 1 merges nearly everything.

    Returns:
        The groups and the figures of the rule.
    """
    rows = centroids.detach().double().cpu().numpy()
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    upper = np.triu_indices(len(unit), 1)
    distances = np.clip(1 - unit @ unit.T, 0, 2)[upper]
    if len(distances) == 0 or merge_fraction <= 0:
        return CentroidGroups(
            np.arange(len(unit)), float(distances.mean()) if len(unit) > 1 else 0, 0
        )
    mean = float(distances.mean())
    cut = merge_fraction * mean
    merged = fcluster(linkage(distances, "average"), cut, criterion="distance")
    return CentroidGroups(renumbered(merged), mean, cut)


def renumbered(ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Ids as 0..G-1 in the order in which they first occur."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
