"""All area filters of one cut at once: which pixels an instance has, and under which filters.

Filters ascend, so that a component is an instance under the first few of them. What it has of
pixels changes only where one that it may take pixels from is filtered out: between two such
filters it is one *version*, with the same pixels, category and overlaps. Pixels are looked at once
for each version, not once for each filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relief.metrics.panoptic_statistics import Ids
from relief.studies.sweeps.split_tables import CutTable


@dataclass(frozen=True)
class SpannedRows:
    """Pixels that no instance has, counted under some filters; all arrays (N,).

    Attributes:
        image: Index of the image.
        category: Predicted, -1 = ignore.
        true_category: Of the ground truth, and `true_instance`.
        true_instance: 0 = none.
        pixels: How many.
        first: The filter from which on they count.
        last: The filter before which that ends.
    """

    image: Ids
    category: Ids
    true_category: Ids
    true_instance: Ids
    pixels: Ids
    first: Ids
    last: Ids

    @classmethod
    def joined(cls, several: Sequence[SpannedRows]) -> SpannedRows:
        """All rows in one."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(one, name) for one in several]) for name in names))


@dataclass(frozen=True)
class Versions:
    """Instances between two changes, each with its pixels.

    Attributes:
        image: (V,) index of the image.
        category: (V,) majority cluster; ties go to the lower id.
        first: (V,) the filter from which on it is there.
        last: (V,) the filter before which that ends.
        of_row: (N,) version of each row.
        true_category: (N,) of the ground truth.
        true_instance: (N,) of the ground truth, 0 = none.
        cluster: (N,) what the pixels were before splitting.
        pixels: (N,) how many.
    """

    image: Ids
    category: Ids
    first: Ids
    last: Ids
    of_row: Ids
    true_category: Ids
    true_instance: Ids
    cluster: Ids
    pixels: Ids


def filtered_segments(
    tables: Sequence[CutTable],
    comparisons: Sequence[tuple[Ids, Ids]],
    areas_px: Sequence[int],
    num_clusters: int,
) -> tuple[Versions, SpannedRows]:
    """Finds what `split_tables.panoptic_rows` gives under each filter, for all of them together.

    Args:
        tables: Of one cut, image by image.
        comparisons: (pairs (J, 3), stuff (S, 4)) of each image, as in `Comparison`.
        areas_px: The filters, ascending.
        num_clusters: Cluster ids are below this.

    Returns:
        Instances; and all other pixels, stuff and things without an instance.
    """
    filters = np.maximum(np.asarray(areas_px, dtype=np.int64), 1)
    sizes = [len(table.core_area_px) for table in tables]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
    ends = np.concatenate(
        [_kept_under(table.core_area_px, filters) for table in tables] or [np.zeros(0, np.int64)]
    )
    rows = [
        np.column_stack(
            (
                table.rows[:, 0] + start,
                table.rows[:, 1] + start,
                pairs[table.rows[:, 2]],
                table.rows[:, 3],
                np.full(len(table.rows), index),
            )
        )
        for index, (table, (pairs, _), start) in enumerate(
            zip(tables, comparisons, starts, strict=True)
        )
    ]
    owner, fallback, cluster, true_category, true_instance, pixels, image = np.concatenate(rows).T
    versions = _versions(
        (owner, fallback), ends, np.repeat(np.arange(len(sizes)), sizes),
        (cluster, true_category, true_instance, pixels), len(filters), num_clusters,
    )  # fmt: skip
    free = np.maximum(ends[owner], ends[fallback])
    loose = free < len(filters)
    every = np.full(int(loose.sum()), len(filters))
    loose_rows = SpannedRows(
        image[loose], cluster[loose], true_category[loose], true_instance[loose], pixels[loose],
        free[loose], every,
    )  # fmt: skip
    return versions, SpannedRows.joined([loose_rows, _stuff(comparisons, len(filters))])


def _kept_under(core_area_px: Ids, filters: Ids) -> Ids:
    """(C + 1,) how many of the filters keep each component; none keeps entry 0."""
    kept = np.searchsorted(filters, core_area_px, side="right")
    kept[0] = 0
    return kept.astype(np.int64)


def _stuff(comparisons: Sequence[tuple[Ids, Ids]], num_filters: int) -> SpannedRows:
    category, true_category, true_instance, pixels = np.concatenate(
        [stuff for _, stuff in comparisons]
    ).T
    image = np.repeat(np.arange(len(comparisons)), [len(stuff) for _, stuff in comparisons])
    always = (np.zeros(len(image), np.int64), np.full(len(image), num_filters))
    return SpannedRows(image, category, true_category, true_instance, pixels, *always)


def _versions(
    takers: tuple[Ids, Ids],
    ends: Ids,
    image_of_component: Ids,
    columns: tuple[Ids, Ids, Ids, Ids],
    num_filters: int,
    num_clusters: int,
) -> Versions:
    """Versions of all components.

    Args:
        takers: Component of each row, and who gets its pixels when that one is filtered out.
        ends: The filter from which on each component is filtered out.
        image_of_component: Its image.
        columns: Cluster, true category, true instance and pixels of each row.
        num_filters: How many filters there are.
        num_clusters: Cluster ids are below this.
    """
    owner, fallback = takers
    own = np.flatnonzero(ends[owner] > 0)
    fallen = np.flatnonzero(ends[fallback] > ends[owner])
    row = np.concatenate((own, fallen))
    component = np.concatenate((owner[own], fallback[fallen]))
    begin = np.concatenate((np.zeros(len(own), np.int64), ends[owner[fallen]]))
    span = num_filters + 1
    code = np.unique(np.concatenate((np.flatnonzero(ends > 0) * span, component * span + begin)))
    of_version, first = np.divmod(code, span)
    follows = np.append(of_version[1:] == of_version[:-1], np.zeros(min(len(code), 1), np.bool_))
    last = np.where(follows, np.append(first[1:], 0)[: len(first)], ends[of_version])
    start = np.searchsorted(code, component * span + begin)
    number = np.searchsorted(of_version, component, side="right") - start
    row = np.repeat(row, number)
    before = np.cumsum(number) - number
    version = np.arange(len(row)) - np.repeat(before - start, number)
    cluster, true_category, true_instance, pixels = (column[row] for column in columns)
    votes = np.bincount(
        version * num_clusters + np.maximum(cluster, 0),
        weights=pixels,
        minlength=len(code) * num_clusters,
    )
    majority = votes.reshape(len(code), num_clusters).argmax(axis=1)
    return Versions(
        image_of_component[of_version], majority, first, last,
        version, true_category, true_instance, cluster, pixels,
    )  # fmt: skip
