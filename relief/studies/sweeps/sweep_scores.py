"""The figures of the settings of a splitter, from the tables of their images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from relief.metrics.protocols import PanopticProtocol
from relief.ops.matching import AssignmentRule
from relief.studies.sweeps.cut_scores import ScoredSource, counts_before_splitting, score_cut
from relief.studies.sweeps.settings import Cut, Setting
from relief.studies.sweeps.table_cache import ImageTables

_NAMED = ("gradient_threshold", "min_area_px", "sigma", "dilation_px")  # arguments with columns


def score_settings(
    source: ScoredSource,
    planned: Sequence[Setting],
    tables: Sequence[ImageTables],
    protocols: Sequence[PanopticProtocol],
    rules: Sequence[AssignmentRule],
) -> Iterator[dict[str, Any]]:
    """The rows of `sweep.csv` of some settings in their order, for each assignment and protocol.

    Args:
        source: Where the tables come from.
        planned: The settings; those of one cut are scored together.
        tables: Of all images.
        protocols: How to count.
        rules: How clusters meet classes.
    """
    before = counts_before_splitting(source, planned[0].cut, tables)
    areas_of: dict[Cut, set[int]] = {}
    for setting in planned:
        areas_of.setdefault(setting.cut, set()).add(setting.min_area_px)
    found: dict[tuple[Cut, int], list[dict[str, Any]]] = {}
    for cut, areas in areas_of.items():
        scored = score_cut(source, cut, sorted(areas), tables, protocols, rules, before)
        found |= {(cut, area): rows for area, rows in zip(sorted(areas), scored, strict=True)}
    for setting in planned:
        columns = _columns(source, setting)
        yield from ({**columns, **row} for row in found[setting.cut, setting.min_area_px])


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
