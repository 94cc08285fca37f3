"""Networks trained and labels made by them, step by step, for one or several seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relief.processes.chains import run_chains
from relief.processes.scripts import script_command
from relief.schema.errors import UsageError
from relief.schema.sources import ImageSource
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
)
from relief.studies.scoring.instance_gains import gains_table
from relief.studies.study import Gain, Spread, Study, StudyResult, StudyTable
from relief.studies.trainings.figures import FIGURES, Measured, Scored
from relief.studies.trainings.run_lines import ScriptRun, refuse_unmade, script_runs

_NO_TRUTHS: dict[str, ImageSource] = {}


@dataclass(frozen=True)
class TrainingRow:
    """The labels of one row.

    Args:
        name: What they are called.
        labels: The run that makes them; `None`: published figures alone, or a mean.
        over: The row that it is compared with, seed by seed; `None`: with none.
        published: The published figures in percent, by name.
        truth: Their ground truth among `truths`, where it is not that of the study.
        mean_of: The row is the mean over these rows.
    """

    name: str
    labels: str | None = None
    over: str | None = None
    published: dict[str, float] = field(default_factory=dict)
    truth: str | None = None
    mean_of: list[str] = field(default_factory=list)


class TrainingStudy(Study):
    """Runs train.py and label.py, then scores the labels: classes, clusters, or objects.

    A run that is whole is passed over, one that was stopped goes on.

    Args:
        runs: Lines by name, in their order; see `script_runs`.
        rows: Which labels are scored.
        truth: Their ground truth.
        truths: Ground truth of rows that have another one, by name.
        seeds: Of the trainings, as `$seed`.
        folder: Every run fills FOLDER/seed_N/NAME.
        about: What ours are of, for the title.
        notes: What readers of the table must know.
        at_once: How many seeds run beside each other; they share the cores.
        measured: Labels whose ids are classes, clusters that the majority of the ground truth
            names, or masks or boxes of objects without any.

    Raises:
        UsageError: A run or row names one that is not there, or there is no seed.
    """

    def __init__(
        self,
        runs: dict[str, str],
        rows: list[TrainingRow],
        truth: ImageSource,
        seeds: list[int],
        folder: str,
        about: str = "",
        notes: Sequence[str] = (),
        at_once: int = 1,
        measured: Measured = "classes",
        truths: dict[str, ImageSource] = _NO_TRUTHS,
    ) -> None:
        if not seeds:
            msg = "no seed given: seeds is empty. Name one or several."
            raise UsageError(msg)
        refuse_unmade([row.labels for row in rows if row.labels is not None], runs)
        names = [row.name for row in rows]
        refuse_double(names)
        for row in rows:
            refuse_unknown("figure", row.published, FIGURES[measured].headings)
        made = [row.name for row in rows if row.labels is not None]
        refuse_unknown("row", (row.over for row in rows if row.over is not None), made)
        refuse_unknown("row", (name for row in rows for name in row.mean_of), made)
        refuse_unknown("truth", (row.truth for row in rows if row.truth is not None), truths)
        self.rows, self.truth, self.about, self.notes = rows, truth, about, notes
        self.truths = truths
        self.at_once = at_once
        self.measured = FIGURES[measured]
        self._made = [row for row in rows if row.labels is not None]
        self.runs_of_seed = {
            seed: script_runs(runs, seed, Path(folder) / f"seed_{seed}") for seed in seeds
        }

    def prepare(self, say: Callable[[str], None]) -> None:
        """Runs the scripts; raises `UsageError` where one fails, or ground truth is missing."""
        for truth in (self.truth, *self.truths.values()):
            len(truth.keys)  # what is not there is told before anything is trained
        chains = [
            [script_command(run.script, run.arguments, f"seed {seed}, {run.name}") for run in runs]
            for seed, runs in self.runs_of_seed.items()
        ]
        run_chains(chains, self.at_once, say)

    def run(self) -> StudyResult:
        """Scores what the runs made.

        Raises:
            UsageError: Labels or ground truth are missing.
        """
        start = time.perf_counter()
        scored = {
            (row.name, seed): self._scored(row, runs)
            for row in self._made
            for seed, runs in self.runs_of_seed.items()
        }
        made = [{"name": n, "seed": seed, **one.figures} for (n, seed), one in scored.items()]
        made += [
            {"name": row.name, "seed": seed, **_mean([scored[n, seed] for n in row.mean_of])}
            for row in self.rows
            for seed in self.runs_of_seed
            if row.mean_of
        ]
        tables = [self._means(made)]
        if any(row.over for row in self.rows):
            tables += [self._gains(made), *self._paired(scored)]
        failures = [failure for one in scored.values() for failure in one.failures]
        seconds = time.perf_counter() - start
        return StudyResult(tables, made, self.notes, seconds=seconds, failures=failures)

    def _scored(self, row: TrainingRow, runs: Sequence[ScriptRun]) -> Scored:
        out = next(run.out for run in runs if run.name == row.labels)
        truth = self.truth if row.truth is None else self.truths[row.truth]
        return self.measured.score(out, truth)

    def _paired(self, scored: Mapping[tuple[str, int], Scored]) -> list[StudyTable]:
        """Each row of the first seed against the one it is compared with, image by image."""
        seed = next(iter(self.runs_of_seed))
        pairs = [
            (scored[row.over, seed], scored[row.name, seed], row)
            for row in self._made
            if row.over is not None
        ]
        alike = [(old, new, row) for old, new, row in pairs if new.objects and old.keys == new.keys]
        tables = [(str(row.over), old.objects) for old, _, row in alike]
        tables += [(row.name, new.objects) for _, new, row in alike]
        return [gains_table(tables, range(len(alike)), first=len(alike))] if alike else []

    def _means(self, scored: Sequence[Mapping[str, Any]]) -> StudyTable:
        headings = self.measured.headings
        rows = [
            {
                "name": row.name,
                **{h: Spread.of(_values(scored, row.name, n)) for n, h in headings.items()},
                **published_figures({headings[n]: value for n, value in row.published.items()}),
            }
            for row in self.rows
        ]
        seeds, images = len(self.runs_of_seed), int(scored[0]["images"])
        about = f"{self.about}, " if self.about else ""
        title = f"{about}{images} images, {seeds} seed{'s' if seeds > 1 else ''}, in percent"
        columns = list(headings.values())
        return StudyTable(title, ("labels", *columns), beside_published(rows, columns))

    def _gains(self, scored: Sequence[Mapping[str, Any]]) -> StudyTable:
        """Each row less the one that it is compared with, seed by seed."""
        cells = []
        for row in self.rows:
            if row.over is None:
                continue
            gains: list[Any] = []
            for name in self.measured.headings:
                pairs = zip(
                    _values(scored, row.name, name), _values(scored, row.over, name), strict=True
                )
                gains.append(Gain(*Spread.of(own - other for own, other in pairs), is_ratio=False))
            cells.append([f"{row.name} over {row.over}", *gains])
        title = "What a step gives, within a seed"
        return StudyTable(title, ("step", *self.measured.headings.values()), cells)


def _mean(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean of every figure, and how many images there are in all."""
    means = {n: Spread.of(one.figures[n] for one in scored).mean for n in scored[0].figures}
    return {**means, "images": sum(one.figures["images"] for one in scored)}


def _values(scored: Sequence[Mapping[str, Any]], name: str, figure: str) -> list[float]:
    """One figure of a row, by seed."""
    return [float(one[figure]) for one in scored if one["name"] == name]
