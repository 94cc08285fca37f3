"""Means over seeds, and what one setting gains over another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from relief.studies.study import Spread

Rows = Sequence[Mapping[str, Any]]
ABOUT = ("features", "k", "splitting")


@dataclass(frozen=True)
class Comparison:
    """One figure of a setting against that of another setting.

    Args:
        figure: Such as `miou`.
        features: Of the first setting.
        k: Of the first setting.
        splitting: Of the first setting.
        over_features: Of the other one, where they differ.
        over_k: Of the other one, where it differs.
        over_splitting: Of the other one, where it differs.
        by: Whether the figures are divided or subtracted.
        aim: What it should be at least.
        published: What was published for Cityscapes, where components had no area filter.
    """

    figure: str
    features: str
    k: int
    splitting: str
    over_features: str | None = None
    over_k: int | None = None
    over_splitting: str | None = None
    by: Literal["ratio", "difference"] = "ratio"
    aim: float | None = None
    published: float | None = None

    @property
    def first(self) -> tuple[str, int, str]:
        """Features, k and splitting that are compared."""
        return self.features, self.k, self.splitting

    @property
    def other(self) -> tuple[str, int, str]:
        """Features, k and splitting that are compared with."""
        return (
            self.over_features or self.features,
            self.over_k or self.k,
            self.over_splitting or self.splitting,
        )


class Compared(NamedTuple):
    """A comparison with its figures.

    Attributes:
        comparison: What was compared.
        first: The figure of the first setting.
        other: That of the other.
        value: Ratio of the means, or difference; its deviation is over seeds, paired.
    """

    comparison: Comparison
    first: Spread
    other: Spread
    value: Spread

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is reached; `None` without one."""
        aim = self.comparison.aim
        return None if aim is None else self.value.mean >= aim


def summarise(rows: Rows, figures: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each features, k and splitting, in the order of the rows.

    Args:
        rows: Of `run_sample_features`.
        figures: Their columns.

    Returns:
        Rows with a `Spread` for each of the figures.
    """
    settings = dict.fromkeys(tuple(row[name] for name in ABOUT) for row in rows)
    return [
        {
            **dict(zip(ABOUT, setting, strict=True)),
            **{name: Spread.of(_by_seed(rows, setting, name).values()) for name in figures},
        }
        for setting in settings
    ]


def compare(rows: Rows, comparisons: Sequence[Comparison]) -> list[Compared]:
    """Carries out comparisons; those of settings that were not run are left out."""
    found = []
    for comparison in comparisons:
        first = _by_seed(rows, comparison.first, comparison.figure)
        other = _by_seed(rows, comparison.other, comparison.figure)
        paired = [(first[seed], other[seed]) for seed in first if seed in other]
        if not paired:
            continue
        one, two = Spread.of(first.values()), Spread.of(other.values())
        if comparison.by == "difference":
            mean = one.mean - two.mean
            each = Spread.of(a - b for a, b in paired)
        else:
            mean = one.mean / two.mean if two.mean else math.nan
            each = Spread.of(a / b if b else math.nan for a, b in paired)
        found.append(Compared(comparison, one, two, Spread(mean, each.deviation)))
    return found


def _by_seed(rows: Rows, setting: tuple[Any, ...], figure: str) -> dict[int, float]:
    own = [row for row in rows if tuple(row[name] for name in ABOUT) == setting]
    return {row["seed"]: row[figure] for row in own}
