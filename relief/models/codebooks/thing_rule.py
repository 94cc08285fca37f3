"""Which clusters are things, and which of them are split together; decided without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.centroid_groups import group_centroids, renumbered
from relief.ops.thingness import (
    ClusterStatistics,
    components_per_image,
    covers_ground,
    free_standing,
    front_share,
    share_above,
    split_ratio,
    total,
    two_class_cut,
)
from relief.schema.label_spaces import VOID

Decision = tuple[Tensor, Tensor, dict[str, Any]]
Grouping = Literal["one", "similar", "none"]

CHOSEN_ON = (
    "thing rule: its statistic, weights and default merge_fraction were chosen on the ground truth "
    "of the embedded sample's train images"
)


class ThingRule:
    """Groups alike clusters, then calls those groups things that stand in front of others.

    Each group is measured by `front_share`, without depth by the components per image of its
    clusters; the cut between things and stuff is the one that parts these values best into two
    classes (`two_class_cut`). Nothing is told about classes at run time; the statistic, the
    weight of the clusters and `merge_fraction` were chosen by trying candidates on the train split
    of the embedded sample, whose ground truth is known (docs/sample.md).

    Args:
        merge_fraction: How alike the clusters of a group are; see `group_centroids`.
        grouping: What is split together: `similar` takes the groups, `one` all things (objects are
            cut first and named by their majority, which needs a splitter that parts objects of
            different clusters, by depth), `none` every cluster by itself.
    """

    statistic = staticmethod(front_share)
    note = CHOSEN_ON

    def __init__(self, merge_fraction: float = 0.3, grouping: Grouping = "similar") -> None:
        self.merge_fraction = merge_fraction
        self.grouping = grouping

    def decide(self, images: Sequence[ClusterStatistics], centroids: Tensor) -> Decision:
        """Decides for all clusters.

        Args:
            images: Statistics of some images, or of parts of them summed; their order is free.
            centroids: (k, C) float32.

        Returns:
            `thing_ids` (k,) bool; `groups` (k,) int64, 0..G-1 for things, -1 for stuff; and the
            rule with its figures and `notes` for whoever reads the labels, JSON-able.
        """
        statistics = total(images, len(centroids))
        merged = group_centroids(centroids, self.merge_fraction)
        value, cut = self._measured(statistics, merged.groups)
        sizes = np.bincount(merged.groups).astype(np.float64)
        is_thing = (value > cut)[merged.groups]
        has_depth = bool(statistics.in_front.any())
        record = {
            "rule": "front_groups",
            "merge_fraction": self.merge_fraction,
            "mean_distance": merged.mean_distance,
            "merge_cut": merged.cut,
            "num_groups": len(value),
            "statistic": self.statistic.__name__ if has_depth else "components_per_image",
            "cut": cut,
            "values": value[merged.groups].tolist(),
            "thing_shares": share_above(value, cut, sizes)[merged.groups].round(4).tolist(),
            "changed_by": self._changed_by(statistics, centroids, is_thing),
            "images": statistics.images,
            "notes": [self.note],
        }
        return _decision(is_thing, merged.groups, record, self.grouping)

    def _measured(
        self, statistics: ClusterStatistics, groups: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], float]:
        """The statistic of each group, and the cut above which groups are things."""
        if statistics.in_front.any():
            value = self.statistic(statistics, groups)
        else:
            value = _mean_of_members(components_per_image(statistics), statistics, groups)
        # Every cluster counts, not every group: a few small groups far out must not set the cut.
        return value, two_class_cut(value, np.bincount(groups).astype(np.float64))

    def _changed_by(
        self, statistics: ClusterStatistics, centroids: Tensor, is_thing: NDArray[np.bool_]
    ) -> dict[str, list[int]]:
        """Clusters that change sides when `merge_fraction` is halved or doubled."""
        changed = {}
        for fraction in (self.merge_fraction / 2, self.merge_fraction * 2):
            groups = group_centroids(centroids, fraction).groups
            value, cut = self._measured(statistics, groups)
            changed[f"{fraction:g}"] = np.flatnonzero((value > cut)[groups] != is_thing).tolist()
        return changed


class FreeStandingRule(ThingRule):
    """`ThingRule` by `free_standing`: fewer and surer things, for a detector that learns them.

    A detector has to find each thing as one object; where parts of houses and trees count as
    things it leaves holes, which labels that are only measured do not show.

    Args:
        merge_fraction: As `ThingRule`.
        grouping: As `ThingRule`.
    """

    statistic = staticmethod(free_standing)
    note = CHOSEN_ON.replace("train images", "train and val images")


class PublishedThingRule(ThingRule):
    """The published rule: the clusters that depth edges part most, a given number of them.

    Clusters of large regions are stuff (`covers_ground`); the others are ranked by `split_ratio`,
    without depth by components per image; the first `num_things` are things. The published
    numbers (8 of 19, 12 of 27) were chosen knowing the ground truth.

    Args:
        num_things: How many clusters are things.
        region_fraction: See `covers_ground`.
        image_fraction: See `covers_ground`.
        merge_fraction: How alike the thing clusters of a group are; 0 for no groups, as published.
        grouping: As `ThingRule`.
    """

    def __init__(
        self,
        num_things: int,
        region_fraction: float = 0.02,
        image_fraction: float = 0.0024,
        merge_fraction: float = 0.0,
        grouping: Grouping = "similar",
    ) -> None:
        super().__init__(merge_fraction, grouping)
        self.num_things = num_things
        self.region_fraction = region_fraction
        self.image_fraction = image_fraction

    def decide(self, images: Sequence[ClusterStatistics], centroids: Tensor) -> Decision:
        """Decides for all clusters; see `ThingRule.decide`."""
        statistics = total(images, len(centroids))
        has_depth = statistics.images_with_depth > 0
        value = split_ratio(statistics) if has_depth else components_per_image(statistics)
        stuff = covers_ground(statistics, self.region_fraction, self.image_fraction)
        stuff |= statistics.pixels == 0
        ranked = np.argsort(np.where(stuff, np.inf, -value), kind="stable")
        is_thing = np.zeros(len(value), np.bool_)
        is_thing[ranked[: self.num_things]] = True
        is_thing &= ~stuff
        groups = np.zeros(len(value), np.int64)
        things = centroids[torch.from_numpy(is_thing).to(centroids.device)]
        merged = group_centroids(things, self.merge_fraction)
        groups[is_thing] = merged.groups
        record = {
            "rule": "published",
            "num_things": self.num_things,
            "region_fraction": self.region_fraction,
            "image_fraction": self.image_fraction,
            "merge_fraction": self.merge_fraction,
            "merge_cut": merged.cut,
            "statistic": "split_ratio" if has_depth else "components_per_image",
            "values": value.tolist(),
            "images": statistics.images,
            "notes": [f"thing rule: the number of things, {self.num_things}, was given"],
        }
        return _decision(is_thing, groups, record, self.grouping)


def _mean_of_members(
    value: NDArray[np.float64], statistics: ClusterStatistics, groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(G,) mean over the pixels of the clusters of each group."""
    weights = np.maximum(statistics.pixels, 1e-9)
    return np.bincount(groups, weights=value * weights) / np.bincount(groups, weights=weights)


def _decision(
    is_thing: NDArray[np.bool_],
    groups: NDArray[np.int64],
    record: dict[str, Any],
    grouping: Grouping,
) -> Decision:
    of_things = split_together(is_thing, groups, grouping)
    if grouping != "similar":
        record = {**record, "grouping": grouping}
    return torch.from_numpy(is_thing), torch.from_numpy(of_things), record


def split_together(
    is_thing: NDArray[np.bool_], groups: NDArray[np.int64], grouping: Grouping
) -> NDArray[np.int64]:
    """Numbers what is one region before it is split.

    Args:
        is_thing: (k,) which clusters are things.
        groups: (k,) groups of alike clusters; asked for `similar` only.
        grouping: See `ThingRule`.

    Returns:
        (k,) 0..G-1 for things in the order of their first cluster, -1 for stuff.
    """
    together = {"one": np.zeros_like(groups), "none": np.arange(len(groups))}.get(grouping, groups)
    of_things = np.full(len(is_thing), VOID, dtype=np.int64)
    if is_thing.any():
        of_things[is_thing] = renumbered(together[is_thing])
    return of_things
