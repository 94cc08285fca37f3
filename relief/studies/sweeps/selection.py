"""Choosing a splitter setting without ground truth, and how good the choice is.

A thing that is one object has few depth edges inside. So the setting is preferred whose instances
have the smallest share of their pixels on depth edges (at one threshold for all settings); the
area filter keeps it from being served by crumbs. Coverage of thing pixels by instances is reported
beside it: it says what a setting throws away.

Exploratory: this criterion was kept after about eight were tried against PQ on the embedded sample,
so its rank correlation there is flattering. Its reference threshold was not varied and it has not
been tried on other images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import spearmanr

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Criterion:
    """A figure that needs no ground truth.

    Attributes:
        name: For people.
        column: Of `sweep.csv`.
        sign: 1 where more is better, else -1.
    """

    name: str
    column: str
    sign: int


CRITERIA = (
    Criterion("few depth edges inside instances", "edges_inside", -1),
    Criterion("few instances", "instances_per_image", -1),
    Criterion("thing pixels in instances", "thing_coverage", 1),
)


def rank_settings(source: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How well each criterion ranks the settings of a source.

    Args:
        source: Its name.
        rows: Its settings under one protocol and assignment.

    Returns:
        For each criterion `criterion`, `source`, `correlation` (Spearman, with PQ over the
        settings), `chosen` (the setting it prefers) and `best` (the highest PQ); nothing where
        there are fewer than three settings.
    """
    if len(rows) < 3:
        return []
    pq = [float(row["pq"]) for row in rows]
    found = []
    for criterion in CRITERIA:
        values = [criterion.sign * float(row[criterion.column]) for row in rows]
        if not all(map(math.isfinite, values)) or len(set(values)) < 2 or len(set(pq)) < 2:
            continue
        found.append(
            {
                "criterion": criterion.name,
                "source": source,
                "correlation": float(spearmanr(values, pq).statistic),
                "chosen": rows[values.index(max(values))],
                "best": max(pq),
            }
        )
    return found
