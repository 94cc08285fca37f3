"""Instances as clusters of pixel embeddings within each region."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.ops.embeddings.clusters import (
    average_linkage,
    cluster_in_mask,
    drop_unstable,
    mean_shift,
    median_overlap,
    merge_close_clusters,
)
from relief.ops.embeddings.morphology import smoothed
from relief.ops.objects.instance_targets import renumber_instances
from relief.schema.errors import ReadError
from relief.schema.observation import Observation, Split
from relief.schema.parts import Splitter
from relief.schema.ranges import check_at_least

_ANCHORS = 100  # of each cluster, as published


class ClusterMethod(ABC):
    """Parts points into clusters."""

    @abstractmethod
    def cluster(self, points: Tensor, least_points: float) -> Tensor:
        """(N, E) float32 -> (N,) int64 in any numbering.

        Args:
            points: Of one region, at least one.
            least_points: A cluster with fewer is no object.
        """
        ...


@dataclass(frozen=True)
class MeanShift(ClusterMethod):
    """Modes of the density, and close ones joined ("mean-shift+").

    Attributes:
        bandwidth: Radius of the kernel, the criterion's `delta_v`.
        merge_distance: Clusters whose means are nearer are one, the criterion's `delta_d`; `None`:
            they are not joined.
        support_share: Modes with a smaller share of the region's points are none; 0 as published.
    """

    bandwidth: float = 0.5
    merge_distance: float | None = 1.5
    support_share: float = 0.02

    def cluster(self, points: Tensor, least_points: float) -> Tensor:
        """See `ClusterMethod.cluster`; modes with fewer points lose them to the nearest one."""
        floor = max(least_points, self.support_share * len(points)) if self.support_share else 0
        found = mean_shift(points, self.bandwidth, min_support=floor)
        if self.merge_distance is None:
            return found
        return merge_close_clusters(points, found, self.merge_distance)


@dataclass(frozen=True)
class AverageLinkage(ClusterMethod):
    """Clusters merge while the mean distance of their points is small.

    Attributes:
        threshold: Of that distance, the criterion's `delta_d`.
    """

    threshold: float = 1.5

    def cluster(self, points: Tensor, least_points: float) -> Tensor:
        """See `ClusterMethod.cluster`."""
        del least_points
        return average_linkage(points, self.threshold)


class EmbeddingClusters(Splitter):
    """Clusters the embeddings (`features`) of the pixels of each thing region.

    Features of another size than the regions' are taken from the nearest place.

    Args:
        method: Parts the points of a region.
        min_area_px: Smaller clusters are no instances; pixels where splitting runs.
        least_overlap: Clusters that overlap less with the balls around their own embeddings are no
            instances (the median of 100 drawn ones); `None`: all stay. 0.6 as published.
        delta_v: Radius of those balls.
        opening_px: Side of the square by which instances are opened and then closed within their
            region, odd; 1 leaves them as they are.

    Raises:
        UsageError: A number is out of its range.

    Example:
        >>> import torch
        >>> from relief.schema.observation import Observation
        >>> features = torch.zeros(1, 2, 8, 32)
        >>> features[..., 12:] = 2.0
        >>> observation = Observation(
        ...     semantic=torch.zeros(1, 8, 32, dtype=torch.int64),
        ...     things=torch.tensor([True]),
        ...     features=features,
        ... )
        >>> split = EmbeddingClusters(min_area_px=10).split(observation)
        >>> split.instance[0, 4, [2, 30]].tolist()
        [2, 1]
    """

    needs = frozenset({"features"})

    def __init__(
        self,
        method: ClusterMethod = MeanShift(),  # frozen
        min_area_px: int = 50,
        least_overlap: float | None = None,
        delta_v: float = 0.5,
        opening_px: int = 1,
    ) -> None:
        check_at_least(1, opening_px=opening_px, min_area_px=min_area_px)
        check_at_least(0, least_overlap=least_overlap, delta_v=delta_v)
        self.method, self.min_area_px = method, min_area_px
        self.least_overlap, self.delta_v, self.opening_px = least_overlap, delta_v, opening_px

    def split(self, observation: Observation) -> Split:
        """Clusters region by region; instances are numbered by falling area.

        Raises:
            ValueError: There are no features.
            ReadError: They are not finite.
        """
        observation.require(self.needs, type(self).__name__)
        features, semantic = cast(Tensor, observation.features), observation.semantic
        if not torch.isfinite(features).all():
            msg = "embeddings are not finite: leave this image out, or use another checkpoint."
            raise ReadError(msg)
        if len(semantic):
            features = F.interpolate(features, size=semantic.shape[-2:], mode="nearest-exact")
        rows = [
            self._of_image(*pair, observation.things)
            for pair in zip(features, semantic, strict=True)
        ]
        return Split(torch.stack(rows) if rows else torch.zeros_like(semantic))

    def _of_image(self, embedding: Tensor, semantic: Tensor, things: Tensor) -> Tensor:
        instance = torch.zeros_like(semantic)
        for region in things.nonzero().flatten().tolist():
            mask = semantic == region
            clusters = cluster_in_mask(
                embedding, mask, lambda points: self.method.cluster(points, self.min_area_px)
            )
            if self.least_overlap is not None:
                clusters = self._stable(embedding, clusters)
            if self.opening_px > 1:
                clusters = smoothed(clusters, mask, self.opening_px)
            instance = torch.where(clusters > 0, clusters + instance.max(), instance)
        return self._by_area(instance)

    def _stable(self, embedding: Tensor, clusters: Tensor) -> Tensor:
        """Drops clusters that are no balls among the embeddings; each has a pixel."""
        drawn = torch.Generator().manual_seed(0)
        anchors = []
        for number in range(1, int(clusters.max()) + 1):
            pixels = (clusters == number).nonzero()
            anchors.append(pixels[torch.randint(len(pixels), (_ANCHORS,), generator=drawn)])
        if not anchors:
            return clusters
        overlap = median_overlap(embedding, clusters, torch.stack(anchors), self.delta_v)
        return drop_unstable(clusters, overlap, cast(float, self.least_overlap))

    def _by_area(self, instance: Tensor) -> Tensor:
        areas = instance.flatten().bincount()[1:]
        order = areas.argsort(descending=True, stable=True)
        numbers = torch.zeros(len(areas) + 1, dtype=torch.int64, device=instance.device)
        numbers[order + 1] = torch.arange(1, len(areas) + 1, device=instance.device)
        return renumber_instances(numbers[instance], order, self.min_area_px)[0]
