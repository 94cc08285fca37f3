"""Features on folders of real photographs: what clusters of them find, and what they miss."""

from __future__ import annotations

import copy
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from relief.processes.scripts import TRAIN, run_scripts
from relief.schema.errors import UsageError
from relief.studies.features.sample_features import run_sample_features
from relief.studies.features.sample_features_plan import SampleFeatures
from relief.studies.features.sample_features_summary import summarise
from relief.studies.study import Spread, Study, StudyData, StudyResult, StudyTable

log = logging.getLogger("relief")

FIGURES = {"miou": "mIoU", "classes": "found", "pq_stuff": "PQ stuff"}
SHARED = "RELIEF_SHARED"

_MISSED_BELOW = 0.05  # percent: tables show it as 0.0


Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class RealPhotographs(Study):
    """Plans of `SampleFeatures` one after the other, each of a folder of photographs.

    Args:
        plans: By a name for the tables; their roots are below `root`.
        trainings: Files of weights that are trained first where they are not there: arguments of
            `train.py` by file; `{root}` in them is `root`.
        told: Features whose missed classes are listed.
        root: The folder that holds those of the plans; `RELIEF_SHARED/real` unless given.
    """

    def __init__(
        self,
        plans: dict[str, SampleFeatures],
        trainings: dict[str, list[str]] | None = None,
        told: Sequence[str] = (),
        root: str | None = None,
    ) -> None:
        self.plans, self.trainings, self.told = plans, trainings or {}, tuple(told)
        self.root = root or str(Path(os.environ.get(SHARED, "data")) / "real")

    def on(self, data: StudyData) -> Study:
        """The same plans below another folder."""
        why = "this study reads photographs and ground truth of its own splits"
        data.refuse("labels", "depth_root", "split", why=why)
        moved = copy.copy(self)
        moved.root = data.root or self.root
        return moved

    def run(self) -> StudyResult:
        """Trains what is missing, then runs plan after plan.

        Raises:
            UsageError: A folder is not there, or a training did not come to its end.
            ReadError: An image or its ground truth cannot be read.
            WeightsError: A backbone cannot be set up.
        """
        start = time.perf_counter()
        plans = {
            name: replace(plan, root=str(Path(self.root) / plan.root))
            for name, plan in self.plans.items()
        }
        for plan in plans.values():
            if not Path(plan.root).is_dir():
                msg = f"no photographs: {plan.root}. Give --root, or set {SHARED}."
                raise UsageError(msg)
        missing = [
            [one.replace("{root}", self.root) for one in arguments]
            for file, arguments in self.trainings.items()
            if not Path(file).is_file()
        ]
        run_scripts(TRAIN, missing, log.info, "weights")
        rows = {name: run_sample_features(plan)[0] for name, plan in plans.items()}
        tables = [_figures_table(rows), *_missed_tables(rows, self.told)]
        runs = [{"images of": name, **row} for name, own in rows.items() for row in own]
        return StudyResult(tables, runs, _notes(plans, rows), seconds=time.perf_counter() - start)


def _notes(plans: Mapping[str, SampleFeatures], rows: Rows) -> list[str]:
    seeds = max(len(plan.seeds) for plan in plans.values())
    images = "; ".join(
        f"{name}: {rows[name][0]['images']} images of {plan.split}, clusters of {plan.fit_split}"
        for name, plan in plans.items()
    )
    return [
        f"In percent, mean ± standard deviation of {seeds} k-means seeds. {images}. A class is "
        "found where its IoU is above 0; clusters are named by the majority of their pixels."
    ]


def _figures_table(rows: Rows) -> StudyTable:
    ks = sorted({row["k"] for own in rows.values() for row in own})
    cells = []
    for name, own in rows.items():
        found = {(one["features"], one["k"]): one for one in summarise(own, list(FIGURES))}
        for features in dict.fromkeys(row["features"] for row in own):
            values = [found.get((features, k), {}).get(figure) for k in ks for figure in FIGURES]
            cells.append([name, features, *values])
    columns = [f"k = {k}: {figure}" for k in ks for figure in FIGURES.values()]
    return StudyTable("Features of photographs", ("images", "features", *columns), cells)


def _missed_tables(rows: Rows, told: Sequence[str]) -> Iterator[StudyTable]:
    """Classes that the fewest clusters miss: what has their pixels, and what more clusters do."""
    for name, own in rows.items():
        of_told = [row for row in own if row["features"] in told]
        if not of_told:
            continue
        ks = sorted({row["k"] for row in of_told})
        columns = ("features", "class", f"absorbed by, k = {ks[0]}", *(f"IoU, k = {k}" for k in ks))
        cells = [
            cell
            for features in dict.fromkeys(row["features"] for row in of_told)
            for cell in _missed([row for row in of_told if row["features"] == features], ks)
        ]
        yield StudyTable(f"{name}: classes that {ks[0]} clusters miss", columns, cells)


def _missed(rows: Sequence[Mapping[str, Any]], ks: Sequence[int]) -> Iterator[list[Any]]:
    classes = [name.removeprefix("iou ") for name in rows[0] if name.startswith("iou ")]
    for one in classes:
        iou = {k: Spread.of(row[f"iou {one}"] for row in rows if row["k"] == k) for k in ks}
        if iou[ks[0]].mean >= _MISSED_BELOW:
            continue
        having = Counter(row[f"has {one}"] for row in rows if row["k"] == ks[0])
        yield [rows[0]["features"], one, " or ".join(having), *iou.values()]
