"""What every study is: something that runs and comes back as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """A mean over runs and the standard deviation (n - 1), nan for a single one."""

    mean: float
    deviation: float


class Gain(NamedTuple):
    """A difference, or a ratio, with the standard deviation over runs."""

    mean: float
    deviation: float
    is_ratio: bool


@dataclass(frozen=True)
class StudyTable:
    """A table for people.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: Cells: text, numbers, `Spread` or `Gain`; `None` is empty.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        tables: For people.
        runs: Every single run with every digit, for `table.csv`.
        notes: Sentences that readers of the tables must know.
        curves: (x, y) points by name, for a figure; empty for none.
        axes: What x and y of the curves are.
        seconds: How long it took.
    """

    tables: Sequence[StudyTable]
    runs: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    axes: tuple[str, str] = ("", "")
    seconds: float = 0.0


class Study(ABC):
    """One table of a publication or of our own; configured in `configs/studies/NAME.yaml`."""

    @abstractmethod
    def run(self) -> StudyResult:
        """Runs or reads what the study needs.

        Raises:
            UsageError: What it needs is not there.
        """
        ...


@dataclass(frozen=True)
class StudyRequest:
    """Makes one table: `study NAME`, where configs/studies has a NAME.yaml.

    Args:
        study: What to run.
        name: What it is called.
        out: Folder for table.csv, table.md and figure.svg; outputs/studies/NAME by default.
    """

    study: Study
    name: str
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path(self.out or f"outputs/studies/{self.name}")
