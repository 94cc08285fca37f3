"""The figures of one splitter setting, from the tables of its images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relief.metrics.panoptic_statistics import Ids
from relief.metrics.protocols import PanopticProtocol
from relief.metrics.scoring import PERCENT, Assignment, CategoryCounts, JointRows, Scorer
from relief.ops.matching import AssignmentRule
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.split_tables import panoptic_rows
from relief.studies.sweeps.table_cache import ImageTables

_OWN_SIZE = 0
_NAMED = ("gradient_threshold", "min_area_px", "sigma", "dilation_px")  # arguments with columns


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
    source: ScoredSource, setting: Setting, tables: Sequence[ImageTables]
) -> CategoryCounts:
    """Pixel counts of the maps before splitting: the same under every setting.

    Args:
        source: Where the tables come from.
        setting: Any of its settings.
        tables: Of all images.
    """
    rows: list[Ids] = []
    for one in tables:
        pairs, stuff = one.comparisons[_OWN_SIZE]
        cut_rows = one.cuts[_OWN_SIZE, setting.cut].rows
        things = np.column_stack((pairs[cut_rows[:, 2]], cut_rows[:, 3]))
        rows += [_without_instances(things), _without_instances(stuff)]
    return source.scorer.counts(np.concatenate(rows))


def score_setting(
    source: ScoredSource,
    setting: Setting,
    tables: Sequence[ImageTables],
    protocols: Sequence[PanopticProtocol],
    rules: Sequence[AssignmentRule],
    before: CategoryCounts,
) -> Iterator[dict[str, Any]]:
    """The rows of `sweep.csv` of one setting, for each assignment and protocol.

    Args:
        source: Where the tables come from.
        setting: The setting.
        tables: Of all images.
        protocols: How to count.
        rules: How clusters meet classes.
        before: See `counts_before_splitting`.
    """
    scorer = source.scorer
    sides = {_OWN_SIZE, *(protocol.short_side_px for protocol in protocols)}
    own = joined_rows(source, setting, tables, _OWN_SIZE)
    joined = {
        side: own if _is_own_size(tables, side) else joined_rows(source, setting, tables, side)
        for side in sides
    }
    table = own.table
    label_free = {
        "thing_coverage": PERCENT * _thing_coverage(source, table),
        "edges_inside": PERCENT * _edges_inside(setting, tables),
    }
    for name, assignment in _assignments(source, table, rules):
        confusion = scorer.confusion(before, assignment)
        for protocol in protocols:
            rows = joined[protocol.short_side_px]
            yield {
                **_columns(source, setting),
                "protocol": protocol.name,
                "assignment": name,
                **scorer.figures(rows, confusion, assignment, protocol).row.percent(),
                **label_free,
            }


def _columns(source: ScoredSource, setting: Setting) -> dict[str, Any]:
    return {
        "k": source.k,
        "splitter": setting.name,
        **{name: setting.arguments.get(name) for name in _NAMED},
        "arguments": json.dumps(setting.arguments),
        "depth": setting.depth,
        "source": source.name,
        "purpose": setting.purpose,
    }


def _assignments(
    source: ScoredSource, table: Ids, rules: Sequence[AssignmentRule]
) -> Iterator[tuple[str, Assignment]]:
    """Names and assignments; categories that are classes already keep theirs."""
    if source.has_classes:
        yield "oracle_majority", source.scorer.identity()
        return
    counts = source.scorer.counts(table)
    for rule in rules:
        yield rule.name, source.scorer.fit(rule, counts)


def joined_rows(
    source: ScoredSource, setting: Setting, tables: Sequence[ImageTables], side: int
) -> JointRows:
    """The joint rows of all images under a setting."""
    rows: list[Ids] = []
    for one in tables:
        pairs, stuff = one.comparisons[side]
        table = one.cuts[side, setting.cut]
        things = panoptic_rows(table, pairs, setting.min_area_px, source.scorer.num_categories)
        rows.append(np.concatenate((things, _without_instances(stuff))))
    return JointRows.of(rows)


def _thing_coverage(source: ScoredSource, table: Ids) -> float:
    """The share of thing pixels that are in an instance, ground truth or not."""
    is_thing = np.isin(table[:, 0], source.scorer.things)
    inside = is_thing & (table[:, 1] > 0)
    pixels = table[:, 4]
    return float(pixels[inside].sum() / max(pixels[is_thing].sum(), 1))


def _edges_inside(setting: Setting, tables: Sequence[ImageTables]) -> float:
    """The share of an instance's pixels that are on depth edges, mean over instances."""
    shares: list[NDArray[np.float64]] = []
    for one in tables:
        table = one.cuts[_OWN_SIZE, setting.cut]
        kept = table.core_area_px >= max(setting.min_area_px, 1)
        shares.append(table.edge_px[kept] / table.area_px[kept])
    every = np.concatenate(shares)
    return float(every.mean()) if len(every) else float("nan")


def _is_own_size(tables: Sequence[ImageTables], side: int) -> bool:
    """Whether images of that short side are compared as they are at their own size."""
    return all(one.comparisons[side][0] is one.comparisons[_OWN_SIZE][0] for one in tables)


def _without_instances(rows: Ids) -> Ids:
    """(N, 4) rows of category, true pair and pixels as (N, 5) joint rows."""
    return np.insert(rows, 1, 0, axis=1)
