"""Assignments of clusters to classes, from how many pixels of each class each cluster covers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relief.schema.label_spaces import VOID, thing_mask


def identity_assignment(counts: Tensor) -> Tensor:
    """Cluster i is class i; clusters past the last class are void.

    Args:
        counts: (K, C) pixels; only its shape is used.

    Returns:
        (K,) int64.
    """
    num_clusters, num_classes = counts.shape
    cluster_ids = torch.arange(num_clusters)
    return torch.where(cluster_ids < num_classes, cluster_ids, VOID)


def majority_assignment(counts: Tensor) -> Tensor:
    """Each cluster goes to the class that covers most of it; several may share a class.

    Args:
        counts: (K, C) pixels of cluster k that are class c.

    Returns:
        (K,) int64 class ids; -1 for a cluster without any labelled pixel. A tie goes to the lower
        class id.
    """
    counts = counts.cpu()
    return torch.where(counts.sum(1) > 0, _first_argmax(counts), VOID)


def hungarian_assignment(counts: Tensor) -> Tensor:
    """One cluster for each class, so that as many pixels as possible agree.

    Args:
        counts: (K, C) pixels of cluster k that are class c.

    Returns:
        (K,) int64 class ids; -1 for the clusters left over.
    """
    from scipy.optimize import linear_sum_assignment  # a second, where nothing is measured

    assignment = torch.full((counts.shape[0],), VOID, dtype=torch.int64)
    rows, columns = linear_sum_assignment(counts.cpu().numpy(), maximize=True)
    assignment[torch.from_numpy(np.asarray(rows))] = torch.from_numpy(np.asarray(columns))
    return assignment


def hungarian_then_majority_assignment(counts: Tensor) -> Tensor:
    """Hungarian first; every cluster left over joins the class that covers most of it.

    Args:
        counts: (K, C) pixels of cluster k that are class c.

    Returns:
        (K,) int64 class ids.
    """
    assignment = hungarian_assignment(counts)
    if counts.shape[1] == 0:
        return assignment
    return torch.where(assignment == VOID, _first_argmax(counts.cpu()), assignment)


def cups_assignment(
    counts: Tensor, thing_clusters: Sequence[int], thing_classes: Sequence[int]
) -> Tensor:
    """`hungarian_then_majority_assignment` of things to things and of stuff to stuff.

    Args:
        counts: (K, C) pixels of cluster k that are class c.
        thing_clusters: Cluster ids that are things.
        thing_classes: Class ids that are things.

    Returns:
        (K,) int64 class ids; -1 only where there is no class of that kind.
    """
    num_clusters, num_classes = counts.shape
    assignment = torch.full((num_clusters,), VOID, dtype=torch.int64)
    is_thing_cluster = thing_mask(thing_clusters, num_clusters)
    is_thing_class = thing_mask(thing_classes, num_classes)
    for of_things in (True, False):
        clusters = (is_thing_cluster == of_things).nonzero().reshape(-1)
        classes = (is_thing_class == of_things).nonzero().reshape(-1)
        if len(clusters) and len(classes):
            block = counts.cpu()[clusters][:, classes]
            assignment[clusters] = classes[hungarian_then_majority_assignment(block)]
    return assignment


def _first_argmax(counts: Tensor) -> Tensor:
    """(K,) the first column that holds each row's maximum; torch's argmax may take any."""
    return torch.from_numpy(counts.numpy().argmax(axis=1))


AssignmentFit = Callable[[Tensor, Sequence[int], Sequence[int]], Tensor]


@dataclass(frozen=True)
class AssignmentRule:
    """How clusters meet classes.

    Attributes:
        name: What it is called on the command line and in `metrics.json`.
        panoptic: (counts (K, C), thing clusters, thing classes) -> (K,) int64 class ids.
        semantic: The same for mIoU and accuracy; another one only in `cups`, whose reference
            matches a second time there, without parting things from stuff.
    """

    name: str
    panoptic: AssignmentFit
    semantic: AssignmentFit


def _of_all_classes(fit: Callable[[Tensor], Tensor]) -> AssignmentFit:
    def fit_all(counts: Tensor, _clusters: Sequence[int], _classes: Sequence[int]) -> Tensor:
        return fit(counts)

    return fit_all


_identity = _of_all_classes(identity_assignment)
_majority = _of_all_classes(majority_assignment)
_hungarian = _of_all_classes(hungarian_assignment)
_hungarian_then_majority = _of_all_classes(hungarian_then_majority_assignment)
ASSIGNMENTS: dict[str, AssignmentRule] = {
    rule.name: rule
    for rule in (
        AssignmentRule("identity", _identity, _identity),
        AssignmentRule("majority", _majority, _majority),
        AssignmentRule("hungarian", _hungarian, _hungarian),
        AssignmentRule("cups", cups_assignment, _hungarian_then_majority),
    )
}


def assignment_rule(name: str) -> AssignmentRule:
    """The rule of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    try:
        return ASSIGNMENTS[name]
    except KeyError:
        msg = f"assignment must be one of {', '.join(ASSIGNMENTS)}, got {name!r}"
        raise ValueError(msg) from None
