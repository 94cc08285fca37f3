"""Panoptic quality by protocol, of classes and of clusters that meet classes in the metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.metrics.classes import Classes
from relief.metrics.image_rows import ImageRows
from relief.metrics.panoptic_averages import pq_plus, precision50
from relief.metrics.protocols import panoptic_protocol
from relief.metrics.scoring import Assignment, JointRows, Scorer
from relief.metrics.segment_rows import images_once
from relief.metrics.semantic_iou import CategoryCounts
from relief.ops.matching import assignment_rule
from relief.ops.panoptic import segment_table


class PanopticQuality(ImageRows):
    r"""Panoptic quality of (category, instance) maps whose categories are classes.

    .. math::
        PQ = \frac{\sum_{(p, t) \in TP} IoU(p, t)}{|TP| + |FP| / 2 + |FN| / 2} = SQ \cdot RQ

    for each class, then the mean over the classes that occur (Kirillov et al., CVPR 2019). The
    state is the joint segment table of every image, from which any protocol is exact; an image
    whose `key` was seen before counts once, on whatever rank.

    Target (thing, 0) is a region of things without single objects; what it counts for, as for
    void, depends on the protocol. Prediction (thing, 0) has no instance: void. Any category in
    neither set is void. Instance ids of stuff are ignored.

    Args:
        things: Class ids that come in instances.
        stuffs: Class ids that are regions.
        protocol: `panopticapi`, `cups` or `seed` (docs/protocols.md).
        averaged_classes: Class ids that means are taken over; all by default. What is counted for
            each class stays of all.
        **kwargs: For `torchmetrics.Metric`.

    Raises:
        ValueError: A class is in both sets or there is none; no such protocol; a class that is
            averaged is none.

    Example:
        >>> import torch
        >>> target = torch.tensor([[[[0, 0], [0, 0], [1, 1], [1, 2]]]])  # road, two cars
        >>> joined = torch.tensor([[[[0, 0], [0, 0], [1, 1], [1, 1]]]])  # the cars are one
        >>> metric = PanopticQuality(things=[1], stuffs=[0])
        >>> metric.update(joined, target)
        >>> figures = metric.compute()
        >>> float(figures["pq_stuff"]), float(figures["pq_things"])
        (1.0, 0.0)
    """

    width = 5  # predicted category and instance, true category and instance, pixels

    def __init__(
        self,
        things: Sequence[int],
        stuffs: Sequence[int],
        protocol: str = "panopticapi",
        averaged_classes: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        scorer = Scorer.of_classes(Classes.of(things, stuffs))
        unknown = sorted(set(averaged_classes or ()) - set(scorer.classes.ids.tolist()))
        if unknown:
            msg = f"Expected `averaged_classes` among the classes, got {unknown}"
            raise ValueError(msg)
        self.scorer = replace(scorer, averaged=averaged_classes)
        self.protocol = panoptic_protocol(protocol)

    def update(self, preds: Tensor, target: Tensor, key: Sequence[str] | None = None) -> None:
        """Adds images.

        Args:
            preds: (B, H, W, 2) int64 (category, instance), category -1 = void.
            target: (B, H, W, 2) int64 (class, instance), category -1 = void.
            key: Stable ids of the images; without them every image counts, repeated or not.

        Raises:
            ValueError: The maps differ in shape or are no pairs, or keys are missing.
        """
        keys = [None] * len(preds) if key is None else key
        if preds.ndim != 4 or len(keys) != len(preds):
            msg = f"Expected `preds` (B, H, W, 2) and B keys, got {tuple(preds.shape)} and {key}"
            raise ValueError(msg)
        if preds.shape != target.shape:
            msg = f"Expected `target` as `preds` {tuple(preds.shape)}, got {tuple(target.shape)}"
            raise ValueError(msg)
        for predicted, true, name in zip(preds, target, keys, strict=True):
            self.add_image(segment_table(predicted, true), name)

    def compute(self) -> dict[str, Tensor]:
        """The figures, as often as wanted.

        Returns:
            `pq`, `sq`, `rq`, each also with `_things` and `_stuff`: scalars in [0, 1], nan where
            no class occurs; `pq_plus` and `precision50` (see `relief.metrics.panoptic_averages`);
            `per_class` (C, 3) PQ, SQ, RQ by ascending class id, nan for a class
            that never occurs; `iou_sum`, `tp`, `fp`, `fn` (C,); `miou` and `pixel_accuracy` of the
            categories; `instances_per_image`, `true_instances_per_image`, `matched_things` and
            `images`. All float64, but `assignment` (K,) int64, the class id of each predicted
            category.
        """
        rows = JointRows(*images_once(self.all_rows()))
        counts = self.scorer.counts(rows.table)
        assignment = self._assignment(counts)
        confusion = self.scorer.confusion(counts, assignment)
        figures = self.scorer.figures(rows, confusion, assignment, self.protocol)
        which = (self.scorer.classes.is_thing, self.scorer.is_averaged)
        values = {
            **asdict(figures.row),
            **figures.totals,
            "per_class": figures.per_class,
            "pq_plus": pq_plus(figures.statistics, *which),
            "precision50": precision50(figures.statistics, *which),
        }
        tensors = {
            name: torch.as_tensor(value, dtype=torch.float64, device=self.device)
            for name, value in values.items()
        }
        assigned = torch.as_tensor(assignment.panoptic, device=self.device)
        return {**tensors, "assignment": assigned}

    def _assignment(self, counts: CategoryCounts) -> Assignment:  # noqa: ARG002
        """The class ids of the predicted categories."""
        return self.scorer.identity()


class MatchedPanopticQuality(PanopticQuality):
    """Panoptic quality of maps whose categories are clusters.

    Clusters meet classes in `compute`, from the pixel counts of the images seen (target void and
    predicted void left out); or the assignment is given, fitted elsewhere. Then all pixels of a
    stuff class are one segment per image, whatever cluster or instance they came from; pixels of
    stuff clusters assigned to a thing class are one segment per class and image; pixels of thing
    clusters without an instance are void in a thing class.

    Args:
        num_clusters: Predicted categories are 0..num_clusters-1.
        things: Class ids that come in instances.
        stuffs: Class ids that are regions.
        thing_clusters: Cluster ids that come in instances.
        assignment: `majority`, `hungarian`, `cups` or `identity`; or a class id for each cluster,
            -1 = void.
        protocol: `panopticapi`, `cups` or `seed`.
        **kwargs: For `torchmetrics.Metric`.

    Raises:
        ValueError: No such assignment or protocol, or an assignment of another length.

    Example:
        >>> import torch
        >>> target = torch.tensor([[[[0, 0], [0, 0], [1, 1], [1, 2]]]])
        >>> clusters = torch.tensor([[[[2, 0], [0, 0], [1, 1], [1, 2]]]])  # 0 and 2 are road
        >>> metric = MatchedPanopticQuality(3, things=[1], stuffs=[0], thing_clusters=[1])
        >>> metric.update(clusters, target)
        >>> float(metric.compute()["pq"])
        1.0
    """

    def __init__(
        self,
        num_clusters: int,
        things: Sequence[int],
        stuffs: Sequence[int],
        thing_clusters: Sequence[int],
        assignment: str | Sequence[int] = "majority",
        protocol: str = "panopticapi",
        **kwargs: Any,
    ) -> None:
        super().__init__(things, stuffs, protocol, **kwargs)
        self.scorer = replace(
            self.scorer, num_categories=num_clusters, things=sorted(thing_clusters)
        )
        self.rule = assignment_rule(assignment) if isinstance(assignment, str) else None
        given = np.array([] if isinstance(assignment, str) else assignment, dtype=np.int64)
        self.given = Assignment(given, given)
        if self.rule is None and len(given) != num_clusters:
            msg = f"Expected {num_clusters} classes in `assignment`, got {len(given)}"
            raise ValueError(msg)

    def _assignment(self, counts: CategoryCounts) -> Assignment:
        return self.given if self.rule is None else self.scorer.fit(self.rule, counts)
