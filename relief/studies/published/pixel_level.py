"""Label stores as semantic maps: the published pixel-level tables, with and without refinement.

Clusters meet classes on the pixels of the split; things are the connected regions of a class.
Which settings the stores were made with is theirs (`label_args`).
"""

from __future__ import annotations

import copy
import shlex
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from relief.formats.label_run import CODEBOOK
from relief.formats.label_store import MANIFEST
from relief.schema.errors import UsageError
from relief.sources.cityscapes import CityscapesSource
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
    titled,
)
from relief.studies.scoring.region_scores import RegionScorer
from relief.studies.study import Study, StudyData, StudyResult, StudyTable

FIGURES = {
    "miou": "mIoU",
    "pixel_accuracy": "accuracy",
    "pq": "PQ",
    "pq_stuff": "PQ stuff",
    "pq_things": "PQ things",
    "sq": "SQ",
    "rq": "RQ",
}


@dataclass(frozen=True)
class PixelRow:
    """One row of the table.

    Args:
        name: What it is called.
        labels: The label store.
        label_args: Arguments of label.py that make it, but for the images.
        codebook_of: Name of the row whose codebook it has: taken from there, not fitted again.
        assignment: How clusters meet classes; not asked for where ids are classes already.
        published: The published figures in percent, by their names in `metrics.json`.
        make: Make it first where it is not there; else the command is said.
    """

    name: str
    labels: str
    label_args: list[str] = field(default_factory=list)
    codebook_of: str | None = None
    assignment: Literal["majority", "hungarian"] = "majority"
    published: dict[str, float] = field(default_factory=dict)
    make: bool = False


class PixelLevelStudy(Study):
    """Rows of label stores, ours above the published.

    Args:
        rows: The rows; a store that is not there is left out and said.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        figures: Columns.
        protocol: Name of the PQ protocol.
        min_area_px: Smaller regions of a thing class are no objects.
        short_side_px: The size at which regions are made and compared; 0 as the ground truth is.
        about: What ours are of, where the published ones are of something else; for the title.

    Raises:
        UsageError: Two rows have one name, or a name means nothing.
    """

    def __init__(
        self,
        rows: list[PixelRow],
        root: str = "data/cityscapes",
        split: str = "val",
        figures: Sequence[str] = tuple(FIGURES),
        protocol: Literal["seed", "panopticapi", "cups"] = "seed",
        min_area_px: int = 10,
        short_side_px: int = 0,
        about: str = "",
    ) -> None:
        names = [row.name for row in rows]
        refuse_double(names)
        refuse_unknown("row", (row.codebook_of for row in rows if row.codebook_of), names)
        refuse_unknown("figure", [*figures, *(n for row in rows for n in row.published)], FIGURES)
        self.rows = rows
        self.root = root
        self.split = split
        self.figures = tuple(figures)
        self.protocol = protocol
        self.min_area_px = min_area_px
        self.short_side_px = short_side_px
        self.about = about

    def on(self, data: StudyData) -> PixelLevelStudy:
        """The same stores against the ground truth of another folder or split."""
        data.refuse("labels", "depth_root", why="this study reads the label stores of its rows")
        moved = copy.copy(self)
        moved.root, moved.split = data.root or self.root, data.split or self.split
        return moved

    def label_commands(self) -> list[list[str]]:
        """Arguments of label.py for the rows that are made first, codebooks before their users."""
        made = {row.name for row in self.rows if row.make}
        return [self._label_args(row, made) for row in self.rows if row.make]

    def run(self) -> StudyResult:
        """Scores every store.

        Raises:
            UsageError: There is no store, or none with ground truth.
            ReadError: No image of a store can be read.
        """
        start = time.perf_counter()
        there = [row for row in self.rows if (Path(row.labels) / MANIFEST).is_file()]
        missing = [row for row in self.rows if row not in there]
        if not there:
            msg = f"no labels found: {missing[0].labels}. Run `{self.command(missing[0])}`."
            raise UsageError(msg)
        scorer = RegionScorer(
            CityscapesSource(self.root, self.split),
            self.protocol,
            self.min_area_px,
            self.short_side_px,
        )
        scored = [(row, scorer.scores(Path(row.labels), row.assignment, row.name)) for row in there]
        every = {key for _, scores in scored for key in scores.keys}
        runs = [
            {
                "name": _name(row.name, len(scores.keys), len(every)),
                "images": len(scores.keys),
                **{name: scores.figures[name] for name in FIGURES},
                **published_figures(row.published),
            }
            for row, scores in scored
        ]
        table = StudyTable(
            titled("Pixels", self.about),
            ("", *(FIGURES[name] for name in self.figures)),
            beside_published(runs, self.figures),
        )
        unlike = [row.name for row, scores in scored if len(scores.keys) < len(every)]
        notes = [f"In percent, {len(every)} images of {self.split}; {self._how}"]
        if unlike:
            notes.append(
                f"Not comparable, some images are missing: {', '.join(unlike)}. Label all of them."
            )
        notes += [
            f"Left out, no labels: {row.name}. `{self.command(row)}` makes them." for row in missing
        ]
        failures = [f"{row.name}: {line}" for row, scores in scored for line in scores.failures]
        seconds = time.perf_counter() - start
        return StudyResult([table], runs, notes, seconds=seconds, failures=failures)

    @property
    def _how(self) -> str:
        """Explains the figures."""
        size = f"short side {self.short_side_px}" if self.short_side_px else "ground-truth size"
        as_published = self.protocol == "seed" and not self.short_side_px
        other = ", as published (evaluate.py labels compares `seed` at short side 512)"
        return (
            f"protocol {self.protocol} at {size}{other if as_published else ''}. Things are "
            f"connected regions of a class, at least {self.min_area_px} px."
        )

    def command(self, row: PixelRow) -> str:
        """Returns the shell command that makes the labels of a row."""
        return shlex.join(["python", "label.py", *self._label_args(row, set())])

    def _label_args(self, row: PixelRow, made: Collection[str]) -> list[str]:
        """Arguments of label.py for a row, with a codebook that is there or will be."""
        images = ("--data.init_args.root", self.root, "--data.init_args.split", self.split)
        sources = {one.name: Path(one.labels) / CODEBOOK for one in self.rows}
        codebook = sources.get(row.codebook_of or "")
        if codebook is None or not (row.codebook_of in made or codebook.is_file()):
            return [*row.label_args, *images]
        return [*row.label_args, *images, "--codebook", str(codebook)]


def _name(name: str, images: int, most: int) -> str:
    """The name of a row, and how many images it is of where other rows have more."""
    return name if images == most else f"{name} ({images} of {most} images)"
