"""The seam of a study: it runs and returns tables."""

from __future__ import annotations

import copy
import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from relief.processes.scripts import make_labels
from relief.schema.errors import UsageError


class Spread(NamedTuple):
    """A mean over runs and the standard deviation (n - 1), nan for a single one."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Takes both over the values that are finite; the mean of none is nan."""
        known = [value for value in values if math.isfinite(value)]
        return cls(
            statistics.fmean(known) if known else math.nan,
            statistics.stdev(known) if len(known) > 1 else math.nan,
        )


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
    """The result of a study.

    Attributes:
        tables: For people.
        runs: Every single run with every digit, for `table.csv`.
        notes: Sentences that readers of the tables must know.
        curves: (x, y) points by name, for a figure; empty for none.
        axes: What x and y of the curves are.
        seconds: How long it took.
        failures: What could not be read, one line each; the figures are of the rest.
    """

    tables: Sequence[StudyTable]
    runs: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    axes: tuple[str, str] = ("", "")
    seconds: float = 0.0
    failures: Sequence[str] = ()


@dataclass(frozen=True)
class StudyData:
    """The data of a study in place of the embedded sample.

    Attributes:
        labels: Label stores.
        root: Cityscapes folder; `None` = the sample.
        depth_root: Tree of depth files; `None` = the study's own.
        split: Split that is scored; `None` = the study's own.
        folder: Where tables may be kept for the next run; `None` = the study's own place.
    """

    labels: Sequence[str] = ()
    root: str | None = None
    depth_root: str | None = None
    split: str | None = None
    folder: Path | None = None

    @property
    def on_sample(self) -> bool:
        """Whether it is the sample."""
        return self.root is None

    def refuse(self, *names: str, why: str) -> None:
        """Raises `UsageError` with the reason where one of these options was given."""
        given = [f"--{name}" for name in names if getattr(self, name)]
        if given:
            msg = f"{why}: {', '.join(given)}. Leave {'them' if len(given) > 1 else 'it'} out."
            raise UsageError(msg)


class Study(ABC):
    """One table of a publication or of our own; configured in `configs/studies/NAME.yaml`."""

    def on(self, data: StudyData) -> Study:
        """The same study of other data.

        Raises:
            UsageError: It has no use for some of it; by default for none: it is of the sample.
        """
        why = "this study makes its own labels of the sample"
        data.refuse("labels", "root", "depth_root", "split", why=why)
        return self

    def label_commands(self) -> list[list[str]]:
        """Arguments of label.py for labels that must be made first."""
        return []

    def prepare(self, say: Callable[[str], None]) -> None:
        """Makes what must be there first, by runs of the scripts: these labels.

        Args:
            say: Tells people what is going on, in a line.

        Raises:
            UsageError: A run did not come to its end.
        """
        make_labels(self.label_commands(), say)

    @abstractmethod
    def run(self) -> StudyResult:
        """Runs or reads what the study needs.

        Raises:
            UsageError: What it needs is not there.
        """
        ...


@dataclass(frozen=True)
class StoreRow:
    """The labels of one row.

    Args:
        labels: Their store.
        label_args: Arguments of label.py that make it; none where it is there.
    """

    labels: str
    label_args: Sequence[str] = ()


class StoreStudy(Study):
    """A row for each label store: those of its recipe, or those that a request names.

    Args:
        rows: What is measured.
        root: Cityscapes folder with gtFine.
        split: Split that is measured.

    Raises:
        UsageError: There is no row.
    """

    def __init__(self, rows: Sequence[StoreRow], root: str, split: str = "val") -> None:
        if not rows:
            msg = "no labels given: rows is empty. Name the labels that are measured."
            raise UsageError(msg)
        self.rows, self.root, self.split = rows, root, split

    @abstractmethod
    def row_of(self, labels: str) -> StoreRow:
        """Returns the row of a store that a request names."""
        ...

    def on(self, data: StudyData) -> Self:
        """Returns the study of given labels; raises `UsageError` for a root without labels."""
        data.refuse("depth_root", why="this study reads labels and ground truth only")
        if not data.labels and not data.on_sample:
            msg = f"no labels of {data.root} given. Add --labels OUT, once for each store."
            raise UsageError(msg)
        given = copy.copy(self)
        if data.labels:
            given.rows = [self.row_of(labels) for labels in data.labels]
        given.root, given.split = data.root or self.root, data.split or self.split
        return given

    def label_commands(self) -> list[list[str]]:
        """Arguments of label.py for every row that has some."""
        return [list(row.label_args) for row in self.rows if row.label_args]


@dataclass(frozen=True)
class StudyRequest:
    """Makes one table: `study NAME`, where configs/studies has a NAME.yaml.

    Args:
        study: What to run.
        name: What it is called.
        labels: Label stores in place of its own of the same k; give it several times.
        root: Cityscapes folder; without, the sample or what the configuration says.
        depth_root: Tree of depth files, where they are not beside that folder.
        split: Split that is scored; without, what the configuration says.
        out: Folder for table.csv, table.md and figure.svg; outputs/studies/NAME by default.
    """

    study: Study
    name: str
    labels: list[str] | None = None
    root: str | None = None
    depth_root: str | None = None
    split: str | None = None
    out: str | None = None

    @cached_property
    def prepared(self) -> Study:
        """The study of the data asked for; raises `UsageError` as `Study.on`."""
        data = StudyData(
            tuple(self.labels or ()), self.root, self.depth_root, self.split, self.folder
        )
        return self.study.on(data)

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path(self.out or f"outputs/studies/{self.name}")
