"""Pixel embeddings to objects, inside a semantic mask; on the device of the points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor
from torch.linalg import vector_norm

_MOST_POINTS = 4096  # that modes are sought among
_MOST_LINKED = 2048  # that average linkage takes in seconds
_MOST_ROUNDS = 300
_STILL = 1e-3  # of the bandwidth: a seed that moves less has arrived
_SMOOTH = 1e-5


def mean_shift(
    points: Tensor,
    bandwidth: float,
    generator: torch.Generator | None = None,
    max_seeds: int = 256,
    min_support: float = 0,
) -> Tensor:
    """Clusters points by the modes of their density under a flat kernel.

    Seeds are points that cover all others within the bandwidth. Each moves to the mean of the
    points within the bandwidth until it rests; of modes within the bandwidth of one another the
    one with most points stays; every point goes to the nearest mode. As scikit-learn's `MeanShift`
    seeded by every point, where clusters are narrower than the bandwidth.

    Args:
        points: (N, E) float.
        bandwidth: Radius of the kernel.
        generator: Draws the seeds, on the CPU; without one they are the same every time.
        max_seeds: At most so many.
        min_support: Points within the bandwidth that a mode needs among all N; points of other
            modes go to the nearest mode that is left. The largest always stays.

    Returns:
        (N,) int64 from 0 by falling support; empty for no points.
    """
    if not len(points):
        return points.new_zeros(0, dtype=torch.int64)
    random = generator or torch.Generator().manual_seed(0)
    order = torch.randperm(len(points), generator=random)[:_MOST_POINTS].to(points.device)
    sample = points[order]
    modes = _resting(sample, _covering(sample, bandwidth, max_seeds), bandwidth)
    support = _within(points, modes, bandwidth).sum(dim=0)
    kept = _apart(modes, support, bandwidth)
    enough = support[kept] >= min_support
    enough[0] = True
    return _nearest(points, modes[kept[enough]])


def _covering(sample: Tensor, bandwidth: float, max_seeds: int) -> Tensor:
    """Seeds (S, E) among randomly ordered points, such that each point is near one of them."""
    left = torch.ones(len(sample), dtype=torch.bool, device=sample.device)
    seeds: list[Tensor] = []
    while len(seeds) < max_seeds and bool(left.any()):
        seed = sample[int(left.int().argmax())]
        seeds.append(seed)
        left &= vector_norm(sample - seed, dim=1) > bandwidth
    return torch.stack(seeds)


def _resting(sample: Tensor, seeds: Tensor, bandwidth: float) -> Tensor:
    """Seeds (S, E) moved until they rest."""
    modes = seeds.clone()
    moving = torch.arange(len(seeds), device=seeds.device)
    for _ in range(_MOST_ROUNDS):
        near = _within(sample, modes[moving], bandwidth).to(sample)
        moved = (near.T @ sample) / near.sum(dim=0).clamp(min=1)[:, None]
        shift = vector_norm(moved - modes[moving], dim=1)
        modes[moving] = moved
        moving = moving[shift > _STILL * bandwidth]
        if not len(moving):
            break
    return modes


def _within(points: Tensor, modes: Tensor, bandwidth: float) -> Tensor:
    """(N, S) bool: which points lie within the bandwidth of which mode."""
    return torch.cdist(points, modes) <= bandwidth


def _apart(modes: Tensor, support: Tensor, bandwidth: float) -> Tensor:
    """Indices of modes by falling support, without those near a better one."""
    order = support.argsort(descending=True, stable=True)
    near = torch.cdist(modes[order], modes[order]) < bandwidth
    kept: list[int] = []
    for index in range(len(order)):
        if not kept or not bool(near[index, kept].any()):
            kept.append(index)
    return order[kept]


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return torch.cdist(points, centres).argmin(dim=1)


def merge_close_clusters(points: Tensor, clusters: Tensor, distance: float) -> Tensor:
    """Joins clusters to the nearest larger one whose mean is near.

    By falling size each cluster joins the nearest anchor whose mean is nearer than `distance`, or
    becomes an anchor itself; means of anchors never move ("mean-shift+").

    Args:
        points: (N, E) float.
        clusters: (N,) integers in any numbering.
        distance: Of two means, strict.

    Returns:
        (N,) int64 from 0 by falling size of the anchors.
    """
    ids, members, sizes = clusters.unique(return_inverse=True, return_counts=True)
    if not len(ids):
        return clusters.long()
    means = points.new_zeros(len(ids), points.shape[1]).index_add(0, members, points)
    means = means / sizes[:, None]
    anchors: list[int] = []
    joined = torch.zeros(len(ids), dtype=torch.int64, device=points.device)
    for cluster in sizes.argsort(descending=True, stable=True).tolist():
        gaps = vector_norm(means[anchors] - means[cluster], dim=1) if anchors else None
        if gaps is not None and float(gaps.min()) < distance:
            joined[cluster] = int(gaps.argmin())
        else:
            joined[cluster] = len(anchors)
            anchors.append(cluster)
    return joined[members]


def average_linkage(
    points: Tensor, threshold: float, generator: torch.Generator | None = None
) -> Tensor:
    """Merges points while the mean distance between two clusters is at most a threshold.

    Args:
        points: (N, E) float.
        threshold: Of the mean distance of their members (UPGMA).
        generator: Draws 2,048 of more points; the others go to the nearest mean of a cluster.

    Returns:
        (N,) int64 from 0.
    """
    if len(points) < 2:
        return torch.zeros(len(points), dtype=torch.int64, device=points.device)
    random = generator or torch.Generator().manual_seed(0)
    some = torch.randperm(len(points), generator=random)[:_MOST_LINKED].sort().values
    sample = points[some.to(points.device)]
    tree = linkage(sample.detach().double().cpu().numpy(), "average")
    found = fcluster(tree, threshold, criterion="distance") - 1
    labels = torch.from_numpy(found).long().to(points.device)
    if len(some) == len(points):
        return labels
    sizes = torch.bincount(labels).to(points)
    means = points.new_zeros(len(sizes), points.shape[1]).index_add(0, labels, sample)
    return _nearest(points, means / sizes[:, None])


def cluster_in_mask(embedding: Tensor, mask: Tensor, method: Callable[[Tensor], Tensor]) -> Tensor:
    """Clusters the pixels of a mask.

    Args:
        embedding: (E, H, W) float.
        mask: (H, W) bool.
        method: (N, E) points to (N,) integers in any numbering; not called for an empty mask.

    Returns:
        (H, W) int64: 0 outside the mask, 1.. inside.
    """
    clusters = torch.zeros(mask.shape, dtype=torch.int64, device=embedding.device)
    if bool(mask.any()):
        found = method(embedding[:, mask].T)
        clusters[mask] = found.unique(return_inverse=True)[1].to(clusters.device) + 1
    return clusters


def median_overlap(
    teacher: Tensor, clusters: Tensor, anchors: Tensor, delta_v: float = 0.5
) -> Tensor:
    """How well clusters agree with balls among the teacher's embeddings.

    Args:
        teacher: (E, H, W) float.
        clusters: (H, W) int64, 0 = none.
        anchors: (n, A, 2) int64 row, column; row k are pixels of cluster k + 1.
        delta_v: Radius of the ball around an anchor's embedding, strict.

    Returns:
        (n,) median over the anchors of the IoU of cluster and ball, in the dtype of `teacher`.
    """
    flat = teacher.flatten(1).T
    medians = []
    for number, rows in enumerate(anchors, start=1):
        centres = teacher[:, rows[:, 0], rows[:, 1]].T
        ball = torch.cdist(centres, flat, compute_mode="donot_use_mm_for_euclid_dist") < delta_v
        cluster = (clusters.reshape(1, -1) == number).expand_as(ball)
        shared, union = (ball & cluster).sum(dim=1), (ball | cluster).sum(dim=1)
        iou = (shared + _SMOOTH) / (union + _SMOOTH)
        medians.append(iou.to(teacher.dtype).quantile(0.5))
    return torch.stack(medians) if medians else teacher.new_zeros(0)


def drop_unstable(clusters: Tensor, overlap: Tensor, least: float = 0.6) -> Tensor:
    """Clusters (H, W) without those whose `overlap` (n,) is below `least`; they become 0."""
    kept = torch.cat((overlap.new_zeros(1, dtype=torch.bool), overlap >= least))
    return torch.where(kept.to(clusters.device)[clusters], clusters, torch.zeros_like(clusters))
