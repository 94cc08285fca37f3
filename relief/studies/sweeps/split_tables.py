"""One image under many splitter settings: a small table for each cut answers every area filter.

Splitting only moves pixels of things between instances, and an area filter only decides which
components count. So the pixels are looked at once for each cut (edges at one threshold), as a joint
table of (component, who gets the pixel when that one is filtered out, cluster, true segment); what
an area filter leaves of it is arithmetic on a few hundred rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relief.metrics.panoptic_statistics import Ids
from relief.ops.splitting.reclaim import Partition
from relief.schema.label_spaces import VOID

Map = NDArray[np.integer]


@dataclass(frozen=True)
class Box:
    """The rows and columns that hold all things of an image; only they are parted."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, regions: Map) -> Box:
        """The smallest box around what is not 0; empty where there is nothing."""
        rows = np.flatnonzero(regions.any(axis=1))
        columns = np.flatnonzero(regions.any(axis=0))
        if len(rows) == 0:
            return cls(0, 0, 0, 0)
        return cls(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)

    def of(self, map_: NDArray[Any]) -> NDArray[Any]:
        """That part of a map."""
        return map_[self.top : self.bottom, self.left : self.right]

    def positions(self, flat: Ids, width: int) -> Ids:
        """Flat indices of a map of that width as flat indices of its part."""
        row, column = np.divmod(flat, width)
        return (row - self.top) * (self.right - self.left) + column - self.left


@dataclass(frozen=True)
class Comparison:
    """One image at one size of comparison, as far as splitting does not change it.

    Attributes:
        position: (M,) flat index in the box around the things, where splitting runs, of each
            thing pixel compared.
        pair: (M,) which of `pairs` it is.
        pairs: (J, 3) cluster, true category, true instance.
        stuff: (S, 4) rows of all other pixels: cluster, true category, true instance, pixels.
        is_own_size: The comparison is where splitting runs: each thing pixel is there once.
    """

    position: Ids
    pair: Ids
    pairs: Ids
    stuff: Ids
    is_own_size: bool


@dataclass(frozen=True)
class CutTable:
    """The tables of one image under one cut.

    Attributes:
        rows: (N, 4) component, fallback (0 = none), row of `pairs`, pixels.
        core_area_px: (C + 1,) what the area filter looks at; entry 0 is no component.
        area_px: (C + 1,) all pixels of each component.
        edge_px: (C + 1,) those on depth edges.
    """

    rows: Ids
    core_area_px: Ids
    area_px: Ids
    edge_px: Ids


def compare(
    clusters: Map, regions: Map, true_ids: Map, true_pairs: Ids, nearest: Ids | None = None
) -> Comparison:
    """Prepares a comparison.

    Args:
        clusters: (h, w) ids where splitting runs, -1 = ignore.
        regions: (h, w) 0 = no thing, else what is split together.
        true_ids: (H, W) compact ids of the target.
        true_pairs: (T, 2) (category, instance) of each.
        nearest: (H, W) flat index of the label under each target pixel; `None` for equal sizes.
    """
    cluster = clusters.reshape(-1) if nearest is None else clusters.reshape(-1)[nearest.reshape(-1)]
    is_thing = regions.reshape(-1) > 0
    if nearest is not None:
        is_thing = is_thing[nearest.reshape(-1)]
    num_true = len(true_pairs)
    code = (cluster + 1).astype(np.int32) * np.int32(num_true) + true_ids.reshape(-1)
    size = (int(cluster.max(initial=VOID)) + 2) * num_true
    at_thing = np.flatnonzero(is_thing)
    small = at_thing if nearest is None else nearest.reshape(-1)[at_thing]
    of_thing = code[at_thing]
    all_px = np.bincount(code, minlength=size)
    thing_px = np.bincount(of_thing, minlength=size)
    codes = np.flatnonzero(thing_px)
    lookup = np.zeros(size, np.int64)
    lookup[codes] = np.arange(len(codes))
    stuff_px = all_px - thing_px
    stuff = np.flatnonzero(stuff_px)
    return Comparison(
        position=Box.around(regions).positions(small, regions.shape[1]),
        pair=lookup[of_thing],
        pairs=_cluster_and_truth(codes, true_pairs),
        stuff=np.column_stack((_cluster_and_truth(stuff, true_pairs), stuff_px[stuff])),
        is_own_size=nearest is None,
    )


def cut_table(parts: Partition, comparison: Comparison, edges: Ids) -> CutTable:
    """Counts the pixels of a comparison by component.

    Args:
        parts: Of the cut.
        comparison: Of the image.
        edges: Flat indices in the box of pixels on depth edges, by a threshold that is the same
            for all cuts.
    """
    num_pairs = max(len(comparison.pairs), 1)
    code = parts.owner.reshape(-1).take(comparison.position).astype(np.int64)
    code *= num_pairs
    code += comparison.pair
    at_contested, taken = _at_contested(parts, comparison)
    size = len(parts.core_area_px) * num_pairs
    pixels = np.bincount(code, minlength=size)
    contested = code[at_contested]
    pixels -= np.bincount(contested, minlength=size)
    sure = np.flatnonzero(pixels)
    columns = (sure // num_pairs, np.zeros_like(sure), sure % num_pairs, pixels[sure])
    rows = np.column_stack(columns)
    if len(at_contested):
        pairs, count = np.unique(np.column_stack((contested, taken)), axis=0, return_counts=True)
        code_of, fallback_of = pairs.T
        doubtful = np.column_stack((code_of // num_pairs, fallback_of, code_of % num_pairs, count))
        rows = np.concatenate((rows, doubtful))
    owner_of_edges = parts.owner.reshape(-1)[edges]
    edge_px = np.bincount(owner_of_edges, minlength=len(parts.core_area_px))
    return CutTable(rows.astype(np.int64), parts.core_area_px, parts.area_px, edge_px)


def _at_contested(parts: Partition, comparison: Comparison) -> tuple[Ids, Ids]:
    """Entries of a comparison that are contested pixels, and who gets each as a fallback."""
    if comparison.is_own_size:  # positions ascend, and each is there once
        order = np.argsort(parts.contested)
        entries = np.searchsorted(comparison.position, parts.contested[order])
        return entries, parts.fallback[order].astype(np.int64)
    fallback = np.zeros(parts.owner.size, np.int64)
    fallback[parts.contested] = parts.fallback
    of_entry = fallback[comparison.position]
    entries = np.flatnonzero(of_entry)
    return entries, of_entry[entries]


def panoptic_rows(table: CutTable, pairs: Ids, min_area_px: int, num_clusters: int) -> Ids:
    """Computes the things that an area filter leaves, as rows of a joint segment table.

    The category of an instance is its majority cluster; ties go to the lower id. Thing pixels
    without an instance are (cluster, 0).

    Args:
        table: Of a cut.
        pairs: (J, 3) of the comparison.
        min_area_px: Components below are no instances.
        num_clusters: Cluster ids are below this.

    Returns:
        (N, 5) as `relief.ops.panoptic.segment_table`.
    """
    kept = table.core_area_px >= max(min_area_px, 1)
    kept[0] = False
    owner, fallback, pair, pixels = table.rows.T
    instance = np.where(kept[owner], owner, np.where(kept[fallback], fallback, 0))
    cluster = pairs[pair, 0]
    votes = np.bincount(
        instance * num_clusters + np.maximum(cluster, 0),
        weights=pixels,
        minlength=len(kept) * num_clusters,
    )
    majority = votes.reshape(len(kept), num_clusters).argmax(axis=1)
    category = np.where(instance > 0, majority[instance], cluster)
    return np.column_stack((category, instance, pairs[pair, 1:], pixels))


def _cluster_and_truth(code: Ids, true_pairs: Ids) -> Ids:
    cluster, true = np.divmod(code, len(true_pairs))
    return np.column_stack((cluster - 1, true_pairs[true]))
