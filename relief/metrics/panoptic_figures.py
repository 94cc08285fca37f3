"""All figures of some images under one protocol, from their joint tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from relief.metrics.panoptic_averages import (
    panoptic_averages,
    quality_per_class,
    total_statistics,
)
from relief.metrics.panoptic_statistics import (
    Categories,
    Ids,
    Mask,
    PanopticStatistics,
    Reals,
    panoptic_statistics,
)
from relief.metrics.protocols import PanopticProtocol
from relief.ops.matching import AssignmentRule
from relief.schema.label_spaces import VOID


@dataclass(frozen=True)
class Classes:
    """The classes scored, ascending by id.

    Attributes:
        ids: (C,) class ids.
        is_thing: (C,) bool.
    """

    ids: Ids
    is_thing: Mask

    @classmethod
    def of(cls, things: Sequence[int], stuffs: Sequence[int]) -> Classes:
        """The classes of two sets of ids.

        Raises:
            ValueError: A class is in both sets, is negative, or there is none.
        """
        ids = sorted({*things, *stuffs})
        if set(things) & set(stuffs) or not ids or ids[0] < 0:
            msg = f"Expected `things` and `stuffs` to be distinct ids, got {things} and {stuffs}"
            raise ValueError(msg)
        return cls(np.array(ids, dtype=np.int64), np.isin(ids, list(things)))

    def rows(self, class_ids: Ids) -> Ids:
        """The row of each class id, -1 for an id that is not scored."""
        row = np.full(int(self.ids[-1]) + 1, VOID, dtype=np.int64)
        row[self.ids] = np.arange(len(self.ids))
        known = (class_ids >= 0) & (class_ids < len(row))
        return np.where(known, row[np.where(known, class_ids, 0)], VOID)

    def categories(self) -> Categories:
        """Categories that are class ids."""
        rows = self.rows(np.arange(int(self.ids[-1]) + 1))
        return Categories(rows, (rows != VOID) & self.is_thing[rows])

    def clusters(self, assignment: Ids, is_thing_cluster: Mask) -> Categories:
        """Categories that are clusters.

        Args:
            assignment: (K,) class id of each cluster, -1 = void.
            is_thing_cluster: (K,) bool, whether the cluster comes in instances.
        """
        return Categories(self.rows(assignment), is_thing_cluster)


def fit_assignment(
    rule: AssignmentRule, counts: Ids, thing_clusters: Sequence[int], classes: Classes
) -> tuple[Ids, Ids]:
    """Lets clusters meet classes.

    Args:
        rule: How.
        counts: (K, C) pixels by cluster and row of the class.
        thing_clusters: Cluster ids that come in instances.
        classes: The classes.

    Returns:
        (K,) class ids for segments, and (K,) for pixels (mIoU, accuracy); -1 = void.
    """
    pixels, thing_rows = torch.from_numpy(counts), np.flatnonzero(classes.is_thing).tolist()
    ids = np.append(classes.ids, VOID)  # row -1 stays -1
    panoptic = ids[rule.panoptic(pixels, thing_clusters, thing_rows).numpy()]
    semantic = ids[rule.semantic(pixels, thing_clusters, thing_rows).numpy()]
    return panoptic, semantic


@dataclass(frozen=True)
class PanopticFigures:
    """What one protocol says.

    Attributes:
        averages: `pq`, `sq`, `rq` and the same with `_things` and `_stuff`, in [0, 1];
            `instances_per_image` and `true_instances_per_image`.
        per_class: (C, 3) PQ, SQ, RQ, nan where a class never occurs.
        totals: `iou_sum`, `tp`, `fp`, `fn`, each (C,).
        statistics: The counts by image.
    """

    averages: dict[str, float]
    per_class: Reals
    totals: dict[str, Reals]
    statistics: PanopticStatistics


def panoptic_figures(
    image: Ids,
    table: Ids,
    num_images: int,
    predicted: Categories,
    classes: Classes,
    protocol: PanopticProtocol,
) -> PanopticFigures:
    """Scores images.

    Args:
        image: (N,) image index 0..num_images-1 of each row.
        table: (N, 5) joint rows of `relief.ops.panoptic.segment_table`; true categories are
            class ids.
        num_images: Images in all.
        predicted: What the predicted categories are worth.
        classes: The classes scored.
        protocol: How to count.
    """
    statistics = panoptic_statistics(
        image, table, num_images, predicted, classes.categories(), classes.is_thing, protocol
    )
    totals = total_statistics(statistics)
    averages = panoptic_averages(totals, classes.is_thing, protocol)
    images = max(num_images, 1)
    averages["instances_per_image"] = float(statistics.predicted_things.sum() / images)
    averages["true_instances_per_image"] = float(statistics.true_things.sum() / images)
    return PanopticFigures(averages, quality_per_class(totals), totals, statistics)
