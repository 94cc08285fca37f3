"""The figures of one splitter setting, from the tables of its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relief.metrics.panoptic_figures import Classes, fit_assignment, panoptic_figures
from relief.metrics.panoptic_statistics import Categories, Ids
from relief.metrics.protocols import PanopticProtocol
from relief.metrics.semantic_iou import (
    CategoryCounts,
    category_counts,
    confusion_matrix,
    semantic_averages,
)
from relief.ops.matching import AssignmentRule
from relief.schema.label_spaces import thing_mask
from relief.studies.scoring.score import PERCENT
from relief.studies.sweeps.split_tables import panoptic_rows
from relief.studies.sweeps.sweep_images import ImageTables
from relief.studies.sweeps.sweep_plan import Setting

_NOT_PERCENT = ("instances_per_image", "true_instances_per_image")
_OWN_SIZE = 0


@dataclass(frozen=True)
class ScoredSource:
    """How the tables of a source are read.

    Attributes:
        name: Of the source.
        k: Its clusters.
        num_categories: Categories of the tables: clusters, or classes.
        things: Those that come in instances.
        classes: The classes scored.
        has_classes: Categories are class ids, named by a vote of ground truth.
    """

    name: str
    k: int
    num_categories: int
    things: tuple[int, ...]
    classes: Classes
    has_classes: bool


def score_setting(
    source: ScoredSource,
    setting: Setting,
    tables: Sequence[ImageTables],
    protocols: Sequence[PanopticProtocol],
    rules: Sequence[AssignmentRule],
) -> Iterator[dict[str, Any]]:
    """The rows of `sweep.csv` of one setting, for each assignment and protocol.

    Args:
        source: Where the tables come from.
        setting: The setting.
        tables: Of all images.
        protocols: How to count.
        rules: How clusters meet classes.
    """
    sides = {_OWN_SIZE, *(protocol.short_side_px for protocol in protocols)}
    joined = {side: joined_rows(source, setting, tables, side) for side in sides}
    counts = _counts(source, joined[_OWN_SIZE][1])
    before = _counts(source, _before_splitting(setting, tables))
    splits = thing_mask(source.things, source.num_categories).numpy()
    coverage = PERCENT * _thing_coverage(source, joined[_OWN_SIZE][1])
    edges_inside = PERCENT * _edges_inside(setting, tables)
    for name, panoptic, semantic in _assignments(source, counts.pixels, rules):
        predicted = Categories(source.classes.rows(panoptic), splits)
        confusion = confusion_matrix(before, source.classes.rows(semantic))
        for protocol in protocols:
            image, table = joined[protocol.short_side_px]
            figures = panoptic_figures(
                image, table, len(tables), predicted, source.classes, protocol
            )
            averages = {
                **figures.averages,
                **semantic_averages(confusion, forgives_void=protocol.forgives_predicted_void),
            }
            yield {
                **_columns(source, setting),
                "protocol": protocol.name,
                "assignment": name,
                **{n: v if n in _NOT_PERCENT else PERCENT * v for n, v in averages.items()},
                "thing_coverage": coverage,
                "edges_inside": edges_inside,
                "matched_things": int(figures.totals["tp"][source.classes.is_thing].sum()),
                "images": len(tables),
            }


def _columns(source: ScoredSource, setting: Setting) -> dict[str, Any]:
    has_edges = setting.cut.gradient_threshold is not None
    return {
        "k": source.k,
        "splitter": "depth_gradient" if has_edges else "connected",
        "gradient_threshold": setting.cut.gradient_threshold,
        "min_area_px": setting.min_area_px,
        "sigma": setting.cut.sigma if has_edges else None,
        "dilation_px": setting.cut.dilation_px if has_edges else None,
        "depth": setting.depth,
        "source": source.name,
        "purpose": setting.purpose,
    }


def _assignments(
    source: ScoredSource, counts: Ids, rules: Sequence[AssignmentRule]
) -> Iterator[tuple[str, Ids, Ids]]:
    """Names and (K,) class ids; categories that are classes already keep theirs."""
    if source.has_classes:
        yield "oracle_majority", source.classes.ids, source.classes.ids
        return
    for rule in rules:
        yield rule.name, *fit_assignment(rule, counts, source.things, source.classes)


def _counts(source: ScoredSource, table: Ids) -> CategoryCounts:
    classes = source.classes
    return category_counts(table, source.num_categories, classes.categories(), len(classes.ids))


def joined_rows(
    source: ScoredSource, setting: Setting, tables: Sequence[ImageTables], side: int
) -> tuple[Ids, Ids]:
    """Image index and joint rows of all images under a setting."""
    rows: list[Ids] = []
    lengths = []
    for one in tables:
        pairs, stuff = one.comparisons[side]
        table = one.cuts[side, (setting.depth, setting.cut)]
        things = panoptic_rows(table, pairs, setting.min_area_px, source.num_categories)
        rows += [things, _without_instances(stuff)]
        lengths.append(len(things) + len(stuff))
    return np.repeat(np.arange(len(tables)), lengths), np.concatenate(rows)


def _thing_coverage(source: ScoredSource, table: Ids) -> float:
    """The share of thing pixels that are in an instance, ground truth or not."""
    is_thing = np.isin(table[:, 0], source.things)
    inside = is_thing & (table[:, 1] > 0)
    pixels = table[:, 4]
    return float(pixels[inside].sum() / max(pixels[is_thing].sum(), 1))


def _edges_inside(setting: Setting, tables: Sequence[ImageTables]) -> float:
    """The share of an instance's pixels that are on depth edges, mean over instances."""
    shares: list[NDArray[np.float64]] = []
    for one in tables:
        table = one.cuts[_OWN_SIZE, (setting.depth, setting.cut)]
        kept = table.core_area_px >= max(setting.min_area_px, 1)
        shares.append(table.edge_px[kept] / table.area_px[kept])
    every = np.concatenate(shares)
    return float(every.mean()) if len(every) else float("nan")


def _before_splitting(setting: Setting, tables: Sequence[ImageTables]) -> Ids:
    """Joint rows of the maps before splitting, the same under every setting."""
    rows: list[Ids] = []
    for one in tables:
        pairs, stuff = one.comparisons[_OWN_SIZE]
        cut_rows = one.cuts[_OWN_SIZE, (setting.depth, setting.cut)].rows
        things = np.column_stack((pairs[cut_rows[:, 2]], cut_rows[:, 3]))
        rows += [_without_instances(things), _without_instances(stuff)]
    return np.concatenate(rows)


def _without_instances(rows: Ids) -> Ids:
    """(N, 4) rows of category, true pair and pixels as (N, 5) joint rows."""
    return np.insert(rows, 1, 0, axis=1)
