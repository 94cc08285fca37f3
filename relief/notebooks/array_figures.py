"""Panoptic quality of plain arrays in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from relief.metrics.panoptic_quality import MatchedPanopticQuality, PanopticQuality
from relief.schema.errors import UsageError


def panoptic_quality(
    predicted: Iterable[ArrayLike],
    target: Iterable[ArrayLike],
    things: Sequence[int],
    stuffs: Sequence[int],
    thing_clusters: Sequence[int] | None = None,
    assignment: str | Sequence[int] = "majority",
    protocol: str = "panopticapi",
) -> dict[str, Any]:
    """Measures panoptic maps against ground truth: `relief.panoptic_quality`.

    Args:
        predicted: Of each image (H, W, 2) integers (category, instance), category -1 = void.
        target: The same images in the same order and sizes; categories are classes.
        things: Class ids that come in instances.
        stuffs: Class ids that are regions.
        thing_clusters: Predicted categories are clusters, and these come in instances; classes
            unless given.
        assignment: How clusters meet classes: `majority`, `hungarian`, `cups` or `identity`, or a
            class id for each cluster, -1 = void.
        protocol: `panopticapi`, `cups` or `seed` (docs/protocols.md).

    Returns:
        Figures in [0, 1], `nan` where no class occurs: `pq`, `sq`, `rq`, each also with `_things`
        and `_stuff`, `miou` and others as floats; `per_class` (C, 3) and `assignment` as arrays.

    Raises:
        UsageError: Maps are of another shape, differ in size or number, or there are none.
        ValueError: No such assignment or protocol; a class is in both sets.
    """
    pairs = [
        (_map(one, f"predicted[{i}]"), _map(other, f"target[{i}]"))
        for i, (one, other) in enumerate(_pairs(list(predicted), list(target)))
    ]
    for i, (one, other) in enumerate(pairs):
        if one.shape != other.shape:
            sizes = f"{tuple(one.shape[:2])} and {tuple(other.shape[:2])}"
            raise UsageError(f"maps of image {i} differ in size: {sizes}. Bring them to one.")
    metric: PanopticQuality
    if thing_clusters is None:
        metric = PanopticQuality(things, stuffs, protocol)
    else:
        most = max(int(one[..., 0].max()) for one, _ in pairs)
        count = max(most, *thing_clusters) + 1 if isinstance(assignment, str) else len(assignment)
        metric = MatchedPanopticQuality(count, things, stuffs, thing_clusters, assignment, protocol)
    for one, other in pairs:
        metric.update(one[None], other[None])
    return {
        name: value.item() if value.ndim == 0 else value.numpy()
        for name, value in metric.compute().items()
    }


def _pairs(predicted: list[Any], target: list[Any]) -> list[tuple[Any, Any]]:
    if len(predicted) != len(target) or not predicted:
        msg = f"expected as many maps as targets, got {len(predicted)} and {len(target)}."
        raise UsageError(msg)
    return list(zip(predicted, target, strict=True))


def _map(values: ArrayLike, name: str) -> Tensor:
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[-1] != 2 or array.dtype.kind not in "iu" or not array.size:
        msg = f"expected {name} to be (H, W, 2) integers, got {array.shape} {array.dtype}."
        raise UsageError(msg)
    return torch.from_numpy(array.astype(np.int64))
