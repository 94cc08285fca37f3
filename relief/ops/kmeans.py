"""Plain Euclidean k-means where the features are: careful seeding, then Lloyd in chunks.

Seeding: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, in
the greedy variant that draws several candidates per centre. It and the first iterations run on a
subsample; the last iterations see every feature. All sums have one order, so that the same
features on the same device give the same bytes (shown on the CPU; the test on a GPU needs one).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

SUBSAMPLE_PER_CENTROID = 100
LEAST_SUBSAMPLE = 16384
FIRST_ITERATIONS = 10
_CHUNK_CPU = 4096
_CHUNK_DEVICE = 65536
# Squared distances below this share of the largest squared norm are rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Assignment:
    cluster: Tensor  # (N,) int64
    distance: Tensor  # (N,) float32 squared distance to that centroid
    sums: Tensor  # (k, C) float64
    counts: Tensor  # (k,) int64

    @property
    def inertia(self) -> float:
        return float(self.distance.sum(dtype=torch.float64))


@torch.no_grad()
def fit_kmeans(
    features: Tensor,
    k: int,
    *,
    seed: int = 0,
    starts: int = 3,
    max_iterations: int = 100,
    tolerance: float = 1e-4,
) -> Tensor:
    """Clusters features; the result is deterministic by seed.

    Args:
        features: (N, C) floating point, finite; on any device. Used as given, not normalised.
        k: Wanted number of clusters.
        seed: Of everything drawn.
        starts: Seedings tried on a subsample; after a few iterations the one of least inertia
            goes on.
        max_iterations: Most Lloyd iterations, on the subsample and again on all features.
        tolerance: An iteration that improves the inertia by less than this share is the last.

    Returns:
        (k, C) float32 means of the clusters on the device of `features`. Fewer rows, with a
        warning, when there are fewer than k distinct features.

    Raises:
        ValueError: `k`, the shape or the values cannot be used.
    """
    _check(features, k, starts, max_iterations)
    few = few_distinct(features, k)
    if few is not None:
        return few
    generator = torch.Generator().manual_seed(seed)
    with torch.autocast(features.device.type, enabled=False):
        mean = features.mean(dim=0, dtype=torch.float32)
        sample = _subsample(features, k, generator).float() - mean
        none = torch.zeros_like(mean)
        first = min(FIRST_ITERATIONS, max_iterations)
        tried = [
            _lloyd(sample, _seeding(sample, k, generator), none, first, tolerance)
            for _ in range(starts)
        ]
        best = min(tried, key=lambda found: found[1])[0]
        best, _ = _lloyd(sample, best, none, max_iterations, tolerance)
        if len(sample) < len(features):
            best, _ = _lloyd(features, best, mean, max_iterations, tolerance)
        return best + mean


def few_distinct(features: Tensor, k: int) -> Tensor | None:
    """The distinct features, sorted, with a warning, if there are fewer than k.

    Args:
        features: (N, C).
        k: Wanted number of clusters.

    Returns:
        (k', C) float32 with k' < k, or `None` when there are enough.
    """
    if len(torch.unique(features[: 4 * k], dim=0)) >= k:
        return None
    distinct = torch.unique(features, dim=0)
    if len(distinct) >= k:
        return None
    warnings.warn(f"{len(distinct)} distinct features: k is {len(distinct)}, not {k}", stacklevel=3)
    return distinct.float()


def _check(features: Tensor, k: int, starts: int, max_iterations: int) -> None:
    if features.ndim != 2 or len(features) == 0 or not features.is_floating_point():
        shape = f"{tuple(features.shape)} {features.dtype}"
        msg = f"features must be (N, C) floating point with N > 0, got {shape}"
        raise ValueError(msg)
    for name, number in (("k", k), ("starts", starts), ("max_iterations", max_iterations)):
        if number < 1:
            msg = f"{name} must be at least 1, got {number}"
            raise ValueError(msg)
    if not bool(features.isfinite().all()):
        msg = "features must be finite, got NaN or infinity"
        raise ValueError(msg)


def _subsample(features: Tensor, k: int, generator: torch.Generator) -> Tensor:
    wanted = max(LEAST_SUBSAMPLE, SUBSAMPLE_PER_CENTROID * k)
    if len(features) <= wanted:
        return features
    drawn = torch.randperm(len(features), generator=generator)[:wanted].sort().values
    return features[drawn.to(features.device)]


def _seeding(sample: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Greedy k-means++: (k, C) rows of the sample."""
    candidates = 2 + int(math.log(k))
    norms = sample.square().sum(dim=1)
    rounding = _ROUNDING * float(norms.max())
    first = int(torch.randint(len(sample), (1,), generator=generator))
    chosen = [first]
    nearest = _squared_distances(sample, norms, [first], rounding)[:, 0]
    for _ in range(1, k):
        drawn = _draw(nearest, candidates, generator)
        distances = _squared_distances(sample, norms, drawn, rounding)
        distances = torch.minimum(distances, nearest[:, None])
        best = int(distances.sum(dim=0, dtype=torch.float64).argmin())
        chosen.append(drawn[best])
        nearest = distances[:, best]
    return sample[torch.tensor(chosen, device=sample.device)]


def _squared_distances(sample: Tensor, norms: Tensor, rows: list[int], rounding: float) -> Tensor:
    """(N, len(rows)); differences that are rounding count as none."""
    centres = torch.tensor(rows, device=sample.device)
    distances = norms[:, None] + norms[centres] - 2 * sample @ sample[centres].T
    return torch.where(distances > rounding, distances, torch.zeros_like(distances))


def _draw(weights: Tensor, number: int, generator: torch.Generator) -> list[int]:
    """Rows drawn in proportion to weights, on the CPU: running sums there have one order."""
    running = weights.double().cpu().cumsum(0)
    total = running[-1]
    uniform = torch.rand(number, generator=generator, dtype=torch.float64)
    if total <= 0:  # every feature of the sample is a centre already
        return [int(row) for row in uniform * len(weights)]
    rows = torch.searchsorted(running, uniform * total, right=True)
    return [int(row) for row in rows.clamp(max=len(weights) - 1)]


def _lloyd(
    features: Tensor, centroids: Tensor, mean: Tensor, max_iterations: int, tolerance: float
) -> tuple[Tensor, float]:
    """Iterates until the inertia hardly falls; (centroids of centred features, last inertia)."""
    previous = math.inf
    for _ in range(max_iterations):
        assigned = _assign(features, centroids, mean)
        centroids = _means(features, assigned, mean)
        inertia = assigned.inertia
        has_empty = bool((assigned.counts == 0).any())
        if not has_empty and previous - inertia <= tolerance * inertia:
            break
        previous = inertia
    return centroids, inertia


def _assign(features: Tensor, centroids: Tensor, mean: Tensor) -> _Assignment:
    """One pass over the features in chunks."""
    k = len(centroids)
    chunk = _CHUNK_CPU if features.device.type == "cpu" else _CHUNK_DEVICE
    offset = -0.5 * centroids.square().sum(dim=1)
    clusters, distances = [], []
    sums = torch.zeros(centroids.shape, dtype=torch.float64, device=features.device)
    for part in features.split(chunk):
        centred = part.float() - mean
        score, cluster = torch.addmm(offset, centred, centroids.T).max(dim=1)
        clusters.append(cluster)
        distances.append((centred.square().sum(dim=1) - 2 * score).clamp(min=0))
        sums += _sums(centred, cluster, k)
    joined = torch.cat(clusters)
    return _Assignment(joined, torch.cat(distances), sums, torch.bincount(joined, minlength=k))


def _sums(features: Tensor, cluster: Tensor, k: int) -> Tensor:
    """(k, C) sums of the features of each cluster."""
    if features.device.type == "cpu":
        return features.new_zeros(k, features.shape[1]).index_add_(0, cluster, features)
    # Adding by index has no fixed order on an accelerator; a product with 0 and 1 has.
    membership = torch.nn.functional.one_hot(cluster, k).to(features.dtype)
    return membership.T @ features


def _means(features: Tensor, assigned: _Assignment, mean: Tensor) -> Tensor:
    """Means of the clusters; an empty one starts again at the feature farthest from its own."""
    sums, counts = assigned.sums, assigned.counts.double()
    empty = torch.nonzero(assigned.counts == 0)[:, 0]
    if len(empty):
        far = torch.argsort(assigned.distance, descending=True, stable=True)[: len(empty)]
        moved = features[far].double() - mean
        for row, target, source in zip(moved, empty, assigned.cluster[far], strict=True):
            if counts[source] > 1:
                sums[source] -= row
                counts[source] -= 1
                sums[target] = row
                counts[target] = 1
    return (sums / counts.clamp(min=1)[:, None]).float()
