"""Statistics that tell thing clusters from stuff clusters without labels, image by image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relief.ops.depth_edges import gradient_cpu
from relief.ops.splitting.components import label_components

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ClusterStatistics:
    """Counts per cluster over some images; the sum of two of them is that of all their images.

    Attributes:
        images: Number of images.
        images_with_depth: How many of them had depth.
        image_pixels: Pixels of all images, labelled or not.
        pixels: (k,) pixels of each cluster.
        occurrences: (k,) images in which the cluster occurs.
        components: (k,) 4-connected components.
        parted_components: (k,) the same where depth edges part them; images with depth only.
        whole_components: (k,) the same without the edges, in the same images.
        in_front: (k, k) depth edge pixels whose near side lies in the row's cluster and whose far
            side lies in the column's.
    """

    images: int
    images_with_depth: int
    image_pixels: int
    pixels: Counts
    occurrences: Counts
    components: Counts
    parted_components: Counts
    whole_components: Counts
    in_front: Counts

    def __add__(self, other: ClusterStatistics) -> ClusterStatistics:
        return ClusterStatistics(
            self.images + other.images,
            self.images_with_depth + other.images_with_depth,
            self.image_pixels + other.image_pixels,
            self.pixels + other.pixels,
            self.occurrences + other.occurrences,
            self.components + other.components,
            self.parted_components + other.parted_components,
            self.whole_components + other.whole_components,
            self.in_front + other.in_front,
        )

    @staticmethod
    def nothing(num_clusters: int) -> ClusterStatistics:
        """The statistics of no image."""
        none = np.zeros(num_clusters, np.int64)
        square = np.zeros((num_clusters, num_clusters), np.int64)
        return ClusterStatistics(0, 0, 0, none, none, none, none, none, square)


def total(parts: Iterable[ClusterStatistics], num_clusters: int) -> ClusterStatistics:
    """The statistics of all images of all parts."""
    return sum(parts, ClusterStatistics.nothing(num_clusters))


def cluster_statistics(
    semantic: Tensor,
    depth: Tensor | None,
    num_clusters: int,
    *,
    gradient_threshold: float = 0.05,
    sigma: float = 1.0,
    reach: float = 1 / 64,
) -> ClusterStatistics:
    """Counts one image, on the CPU in float64, so that every device gives the same.

    Args:
        semantic: (H, W) int64 cluster ids below `num_clusters`, -1 = ignore.
        depth: (H, W), (1, H, W) or (1, 1, H, W) float in [0, 1], 0 near; `None` for none.
        num_clusters: k.
        gradient_threshold: A depth edge is a gradient magnitude above this; it means pixels at
            the size given, see `relief.ops.depth_edges`.
        sigma: Smoothing of the depth, in pixels.
        reach: How far from an edge its two sides are looked up, as a share of the short side.

    Returns:
        Statistics of this one image.
    """
    cluster = semantic.cpu().numpy()
    known = cluster[cluster >= 0]
    pixels = np.bincount(known, minlength=num_clusters)
    components = _components(cluster, num_clusters)
    parted = np.zeros_like(components)
    in_front = np.zeros((num_clusters, num_clusters), np.int64)
    if depth is not None:
        along_x, along_y = gradient_cpu(depth.cpu().numpy().reshape(cluster.shape), sigma)
        magnitude = np.hypot(along_x, along_y)
        edges = magnitude > gradient_threshold
        parted = _components(np.where(edges, -1, cluster), num_clusters)
        reach_px = max(1, round(reach * min(cluster.shape)))
        unit = (along_x[edges] / magnitude[edges], along_y[edges] / magnitude[edges])
        in_front = _in_front(cluster, edges, unit, reach_px, num_clusters)
    return ClusterStatistics(
        images=1,
        images_with_depth=int(depth is not None),
        image_pixels=cluster.size,
        pixels=pixels,
        occurrences=(pixels > 0).astype(np.int64),
        components=components,
        parted_components=parted,
        whole_components=components if depth is not None else parted,
        in_front=in_front,
    )


def _components(cluster: NDArray[Any], num_clusters: int) -> Counts:
    """(k,) number of 4-connected components of each cluster."""
    labels = (cluster + 1).astype(np.uint32)
    components, count = label_components(labels)
    of_component = np.zeros(count + 1, np.int64)
    of_component[components.reshape(-1)] = labels.reshape(-1)
    return np.bincount(of_component[1:] - 1, minlength=num_clusters)


def _in_front(
    cluster: NDArray[Any],
    edges: NDArray[np.bool_],
    unit: tuple[NDArray[np.float64], NDArray[np.float64]],
    reach_px: int,
    num_clusters: int,
) -> Counts:
    """(k, k) edge pixels by the cluster at their near side and the one at their far side."""
    row, column = np.nonzero(edges)

    def side(sign: int) -> NDArray[Any]:
        at_row = np.rint(row + sign * reach_px * unit[1]).astype(np.int64)
        at_column = np.rint(column + sign * reach_px * unit[0]).astype(np.int64)
        height, width = cluster.shape
        return cluster[at_row.clip(0, height - 1), at_column.clip(0, width - 1)]

    near, far = side(-1), side(1)
    known = (near >= 0) & (far >= 0)
    pairs = near[known] * num_clusters + far[known]
    return np.bincount(pairs, minlength=num_clusters**2).reshape(num_clusters, num_clusters)


def split_ratio(statistics: ClusterStatistics) -> NDArray[np.float64]:
    """(k,) components with depth edges per component without; 0 for clusters never seen."""
    return statistics.parted_components / np.maximum(statistics.whole_components, 1)


def components_per_image(statistics: ClusterStatistics) -> NDArray[np.float64]:
    """(k,) components per image in which the cluster occurs; 0 for clusters never seen."""
    return statistics.components / np.maximum(statistics.occurrences, 1)


def covers_ground(
    statistics: ClusterStatistics, region_fraction: float = 0.02, image_fraction: float = 0.0024
) -> NDArray[np.bool_]:
    """(k,) clusters of large regions, which the published rule calls stuff whatever parts them.

    Args:
        statistics: Of the images seen.
        region_fraction: Mean region above this share of an image,
        image_fraction: and above this share of the pixels per image in all.
    """
    image_px = statistics.image_pixels / max(statistics.images, 1)
    mean_region_px = statistics.pixels / np.maximum(statistics.components, 1)
    per_image_px = statistics.pixels / max(statistics.images, 1)
    large = mean_region_px > region_fraction * image_px
    return np.asarray(large & (per_image_px > image_fraction * image_px))


def front_share(statistics: ClusterStatistics, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of each group is the rim of something that stands in front of another group.

    Objects occlude what is behind them all around; ground and sky occlude nothing. The value is
    the square root of depth edge pixels on whose near side the group is, and on whose far side
    another one, per pixel of the group: counts are compared on the scale on which their spread
    does not grow with them.

    Args:
        statistics: Of the images seen.
        groups: (k,) group of each cluster, 0..G-1.

    Returns:
        (G,) float64; 0 for groups never seen.
    """
    rim, _ = _rims(statistics, groups)
    pixels = np.bincount(groups, statistics.pixels)
    return np.asarray(np.sqrt(rim / np.maximum(pixels, 1)))


def free_standing(statistics: ClusterStatistics, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """`front_share` times the share of a group's rim at which it is the nearer side.

    A house stands in front of the sky, and much stands in front of the house; before an object
    there is little.

    Args:
        statistics: Of the images seen.
        groups: (k,) group of each cluster, 0..G-1.

    Returns:
        (G,) float64; 0 for groups never seen.
    """
    near, far = _rims(statistics, groups)
    return front_share(statistics, groups) * near / np.maximum(near + far, 1)


def _rims(
    statistics: ClusterStatistics, groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(G,) edge pixels with another group at the far side, and at the near side."""
    member = np.eye(int(groups.max()) + 1, dtype=np.int64)[groups]
    in_front = member.T @ statistics.in_front @ member
    inside = np.diagonal(in_front)
    return in_front.sum(axis=1) - inside, in_front.sum(axis=0) - inside


def two_class_cut(values: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
    """The cut between two classes of values that leaves the least spread within them.

    Otsu, "A threshold selection method from gray-level histograms", 1979, on the values
    themselves. With fewer than two distinct values nothing is above the cut.

    Args:
        values: (N,) float64.
        weights: (N,) above 0; all alike by default.

    Returns:
        Halfway between the two values it parts.
    """
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    weight = np.cumsum(np.ones(len(values)) if weights is None else weights[order])
    steps = np.diff(weight, prepend=0.0)
    sums = np.cumsum(steps * ordered)
    below, above = weight[:-1], weight[-1] - weight[:-1]
    gap = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
    between = below * above * gap**2 * (np.diff(ordered) > 0)
    if not between.any():
        return float(ordered[-1])
    best = int(between.argmax())
    return float((ordered[best] + ordered[best + 1]) / 2)


def share_above(
    values: NDArray[np.float64], cut: float, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """How likely each value is of the class above a cut: 0.5 at the cut itself.

    Both classes are taken for normal distributions of one spread (Fisher, "The use of multiple
    measurements in taxonomic problems", 1936), whose boundary is put to the cut.

    Args:
        values: (N,) float64.
        cut: As `two_class_cut`.
        weights: (N,) above 0; all alike by default.

    Returns:
        (N,) in [0, 1]; 0 or 1 where the classes have no spread, or one of them is empty.
    """
    weights = np.ones(len(values)) if weights is None else weights
    above = values > cut
    if not above.any() or above.all():
        return above.astype(np.float64)
    means = np.array([np.average(values[side], weights=weights[side]) for side in (~above, above)])
    spread = np.average((values - means[above.astype(int)]) ** 2, weights=weights)
    if spread <= 0:
        return above.astype(np.float64)
    odds = (means[1] - means[0]) / spread * (values - cut)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))))
