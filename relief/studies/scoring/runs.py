"""Several runs of one recipe: their mean and spread, because single runs mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relief.studies.study import Spread

Metrics = Mapping[str, Mapping[str, Any]]


def mean_and_spread(runs: Sequence[Metrics]) -> dict[str, dict[str, Any]]:
    """Figures over runs, in the shape of `metrics.json`.

    Args:
        runs: The figures of each run, by `PROTOCOL/ASSIGNMENT`.

    Returns:
        For each protocol and assignment the means; `spread` holds the standard deviation over
        runs (of a sample, n - 1) by name, `runs` the figures of each run. One run comes back as
        it is.
    """
    if len(runs) == 1:
        return {name: dict(figures) for name, figures in runs[0].items()}
    averaged: dict[str, dict[str, Any]] = {}
    for name in runs[0]:
        figures = [run[name] for run in runs]
        names = [key for key, value in figures[0].items() if isinstance(value, int | float)]
        columns = {key: Spread.of(run[key] for run in figures) for key in names}
        averaged[name] = {
            **{key: spread.mean for key, spread in columns.items()},
            "per_class": _mean_per_class([run["per_class"] for run in figures]),
            "spread": {key: spread.deviation for key, spread in columns.items()},
            "runs": [dict(run) for run in figures],
        }
    return averaged


def _mean_per_class(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    return {
        class_name: {
            column: Spread.of(run[class_name][column] for run in runs).mean for column in columns
        }
        for class_name, columns in runs[0].items()
    }
