"""Several runs of one recipe: their mean and spread, because single runs mislead."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

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
        columns = {key: _known([run[key] for run in figures]) for key in names}
        averaged[name] = {
            **{key: _mean(values) for key, values in columns.items()},
            "per_class": _mean_per_class([run["per_class"] for run in figures]),
            "spread": {key: _spread(values) for key, values in columns.items()},
            "runs": [dict(run) for run in figures],
        }
    return averaged


def _mean_per_class(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    return {
        class_name: {
            column: _mean(_known([run[class_name][column] for run in runs])) for column in columns
        }
        for class_name, columns in runs[0].items()
    }


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan
