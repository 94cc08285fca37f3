"""The figures of one cut under all its area filters, from the tables of its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from relief.metrics.panoptic_statistics import Ids, Reals
from relief.metrics.protocols import PanopticProtocol
from relief.metrics.scoring import (
    PERCENT,
    Assignment,
    CategoryCounts,
    CountsOfMaps,
    JointRows,
    Scorer,
)
from relief.ops.matching import AssignmentRule
from relief.studies.sweeps.filtered_segments import SpannedRows, Versions, filtered_segments
from relief.studies.sweeps.filtered_statistics import filtered_counts, spanned
from relief.studies.sweeps.settings import Cut
from relief.studies.sweeps.split_tables import CutTable, panoptic_rows
from relief.studies.sweeps.table_cache import ImageTables

_OWN_SIZE = 0


@dataclass(frozen=True)
class ScoredSource:
    """How the tables of a source are read.

    Attributes:
        name: Of the source.
        k: Its clusters.
        scorer: Of their categories: clusters, or classes.
        has_classes: Categories are class ids, named by a vote of ground truth.
    """

    name: str
    k: int
    scorer: Scorer
    has_classes: bool


def counts_before_splitting(
    source: ScoredSource, cut: Cut, tables: Sequence[ImageTables]
) -> CategoryCounts:
    """Pixel counts of the maps before splitting: the same under every setting.

    Args:
        source: Where the tables come from.
        cut: Any of them.
        tables: Of all images.
    """
    rows: list[Ids] = []
    for one in tables:
        pairs, stuff = one.comparisons[_OWN_SIZE]
        cut_rows = one.cuts[_OWN_SIZE, cut].rows
        things = np.column_stack((pairs[cut_rows[:, 2]], cut_rows[:, 3]))
        rows += [_without_instances(things), _without_instances(stuff)]
    return source.scorer.counts(np.concatenate(rows))


def score_cut(
    source: ScoredSource,
    cut: Cut,
    areas_px: Sequence[int],
    tables: Sequence[ImageTables],
    protocols: Sequence[PanopticProtocol],
    rules: Sequence[AssignmentRule],
    before: CategoryCounts,
) -> list[list[dict[str, Any]]]:
    """Figures under each area filter, for each assignment and protocol.

    Args:
        source: Where the tables come from.
        cut: Of the tables.
        areas_px: The filters, ascending.
        tables: Of all images.
        protocols: How to count.
        rules: How clusters meet classes.
        before: See `counts_before_splitting`.
    """
    scorer = source.scorer
    sides = {_OWN_SIZE, *(protocol.short_side_px for protocol in protocols)}
    own = FilteredCut.of(source, cut, areas_px, tables, _OWN_SIZE)
    filtered = {
        side: own
        if _is_own_size(tables, side)
        else FilteredCut.of(source, cut, areas_px, tables, side)
        for side in sides
    }
    coverage = own.thing_coverage()
    edges = _edges_inside([one.cuts[_OWN_SIZE, cut] for one in tables], areas_px)
    scored: list[list[dict[str, Any]]] = [[] for _ in areas_px]
    for name, assignments in _assignments(source, own, rules):
        for assignment, chosen in _alike(assignments):
            confusion = scorer.confusion(before, assignment)
            for protocol in protocols:
                rows = filtered[protocol.short_side_px].figures(assignment, confusion, protocol)
                for index in chosen:
                    label_free = {
                        "thing_coverage": PERCENT * coverage[index],
                        "edges_inside": PERCENT * edges[index],
                    }
                    named = {"protocol": protocol.name, "assignment": name}
                    scored[index].append({**named, **rows[index], **label_free})
    return scored


@dataclass(frozen=True)
class FilteredCut:
    """All that area filters leave of a cut, at one size of comparison."""

    source: ScoredSource
    areas_px: Sequence[int]
    tables: Sequence[CutTable]
    comparisons: Sequence[tuple[Ids, Ids]]
    versions: Versions
    others: SpannedRows

    @classmethod
    def of(
        cls,
        source: ScoredSource,
        cut: Cut,
        areas_px: Sequence[int],
        images: Sequence[ImageTables],
        side: int,
    ) -> FilteredCut:
        """Filters the tables of all images.

        Args:
            source: Where they come from.
            cut: Which.
            areas_px: The filters, ascending.
            images: All tables.
            side: Short side of comparison.
        """
        tables = [one.cuts[side, cut] for one in images]
        comparisons = [one.comparisons[side] for one in images]
        num_clusters = source.scorer.num_categories
        found = filtered_segments(tables, comparisons, areas_px, num_clusters)
        return cls(source, areas_px, tables, comparisons, *found)

    @cached_property
    def _spanned(self) -> tuple[Ids, Ids, Ids, tuple[Ids, Ids]]:
        """Category, true category and pixels of all rows, and the filters they count under."""
        of_row, versions, others = self.versions.of_row, self.versions, self.others
        return (
            np.concatenate((versions.category[of_row], others.category)),
            np.concatenate((versions.true_category, others.true_category)),
            np.concatenate((versions.pixels, others.pixels)),
            (
                np.concatenate((versions.first[of_row], others.first)),
                np.concatenate((versions.last[of_row], others.last)),
            ),
        )

    def category_counts(self) -> list[CategoryCounts]:
        """Pixels by category and class under each filter, as `Scorer.counts`."""
        category, true_category, pixels, spans = self._spanned
        scorer = self.source.scorer
        num_classes, num_filters = len(scorer.classes.ids), len(self.areas_px)
        true_class, _ = scorer.classes.categories().of(true_category)
        known = (category >= 0) & (category < scorer.num_categories)
        cell = np.where(known, category, scorer.num_categories) * num_classes + true_class
        labelled = true_class >= 0
        size = (scorer.num_categories + 1) * num_classes
        of_labelled = (spans[0][labelled], spans[1][labelled])
        counts = spanned(cell[labelled], pixels[labelled], of_labelled, num_filters, size)
        by_filter = counts.reshape(num_filters, scorer.num_categories + 1, num_classes)
        return [CategoryCounts(one[:-1], one[-1]) for one in by_filter]

    def thing_coverage(self) -> list[float]:
        """The share of thing pixels that are in an instance, ground truth or not."""
        category, _, pixels, spans = self._spanned
        is_thing = np.isin(category, self.source.scorer.things)
        inside = np.arange(len(category)) < len(self.versions.of_row)
        of_thing = (spans[0][is_thing], spans[1][is_thing])
        of_kind = spanned(
            inside[is_thing].astype(np.int64), pixels[is_thing], of_thing, len(self.areas_px), 2
        )
        return [float(one[1] / max(one.sum(), 1)) for one in of_kind]

    def figures(
        self, assignment: Assignment, confusion: Ids, protocol: PanopticProtocol
    ) -> list[dict[str, Any]]:
        """The figures of every filter in percent, by name."""
        scorer = self.source.scorer
        if protocol.forgives_predicted_void:
            joined = map(self._joined, self.areas_px)
            return [
                scorer.figures(rows, confusion, assignment, protocol).row.percent()
                for rows in joined
            ]
        counts = self.counts(assignment, protocol)
        return [row.percent() for row in scorer.rows_of_maps(counts, confusion, protocol)]

    def counts(self, assignment: Assignment, protocol: PanopticProtocol) -> CountsOfMaps:
        """Counts by filter, image and class.

        Raises:
            ValueError: The protocol forgives predicted void.
        """
        scorer, shape = self.source.scorer, (len(self.areas_px), len(self.tables))
        categories = scorer.predicted(assignment)
        return filtered_counts(
            self.versions, self.others, shape, categories, scorer.classes, protocol
        )

    def _joined(self, min_area_px: int) -> JointRows:
        """The joint rows of all images under one filter."""
        rows: list[Ids] = []
        for table, (pairs, stuff) in zip(self.tables, self.comparisons, strict=True):
            num_clusters = self.source.scorer.num_categories
            things = panoptic_rows(table, pairs, min_area_px, num_clusters)
            rows.append(np.concatenate((things, _without_instances(stuff))))
        return JointRows.of(rows)


def _assignments(
    source: ScoredSource, own: FilteredCut, rules: Sequence[AssignmentRule]
) -> Iterator[tuple[str, list[Assignment]]]:
    """Names, and the assignment under each filter; classes keep their own."""
    if source.has_classes:
        yield "oracle_majority", [source.scorer.identity()] * len(own.areas_px)
        return
    counts = own.category_counts()
    for rule in rules:
        yield rule.name, [source.scorer.fit(rule, one) for one in counts]


def _alike(assignments: Sequence[Assignment]) -> Iterator[tuple[Assignment, list[int]]]:
    """Different assignments, and the filters that share each."""
    by_content: dict[bytes, list[int]] = {}
    for index, one in enumerate(assignments):
        content = one.panoptic.tobytes() + one.semantic.tobytes()
        by_content.setdefault(content, []).append(index)
    yield from ((assignments[chosen[0]], chosen) for chosen in by_content.values())


def _edges_inside(tables: Sequence[CutTable], areas_px: Sequence[int]) -> list[float]:
    """The share of an instance's pixels that are on depth edges, mean over instances."""
    core_px = np.concatenate([table.core_area_px for table in tables])
    shares: Reals = np.concatenate(
        [table.edge_px / np.maximum(table.area_px, 1) for table in tables]
    )
    kept = (shares[core_px >= max(area, 1)] for area in areas_px)
    return [float(one.mean()) if len(one) else float("nan") for one in kept]


def _is_own_size(tables: Sequence[ImageTables], side: int) -> bool:
    """Whether images of that short side are compared as they are at their own size."""
    return all(one.comparisons[side][0] is one.comparisons[_OWN_SIZE][0] for one in tables)


def _without_instances(rows: Ids) -> Ids:
    """(N, 4) rows of category, true pair and pixels as (N, 5) joint rows."""
    return np.insert(rows, 1, 0, axis=1)
