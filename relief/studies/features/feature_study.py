"""The study of features: means over seeds, and one setting against another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relief.schema.errors import UsageError
from relief.studies.features.sample_features import run_sample_features
from relief.studies.features.sample_features_plan import SampleFeatures
from relief.studies.features.sample_features_summary import Compared, Comparison, compare, summarise
from relief.studies.study import Gain, Study, StudyResult, StudyTable

FIGURES = {
    "miou": "mIoU",
    "pq": "PQ",
    "pq_things": "PQ things",
    "pq_stuff": "PQ stuff",
    "matched_things": "matched things",
    "instances_per_image": "instances per image",
}
COMPARED = ("figure", "of", "", "against", "", "gain", "aim", "met", "published")


class FeatureStudy(Study):
    """The same pipeline on different features, numbers of clusters and splitters.

    Args:
        plan: What is run.
        comparisons: What is set against what.
    """

    def __init__(self, plan: SampleFeatures, comparisons: list[Comparison]) -> None:
        self.plan = plan
        self.comparisons = comparisons

    def run(self) -> StudyResult:
        """Runs all settings.

        Raises:
            UsageError: There are no scenes.
            ReadError: An image, its depth or its ground truth cannot be read.
            WeightsError: A backbone cannot be set up.
        """
        root = self.plan.root
        if not Path(root).is_dir():
            msg = f"no scenes: {root}. Draw them: python -m relief.samples.draw --root {root}."
            raise UsageError(msg)
        rows, seconds = run_sample_features(self.plan)
        summary = summarise(rows, list(FIGURES))
        images, seeds = rows[0]["images"], len(self.plan.seeds)
        notes = (
            f"In percent, {images} images of {self.plan.split}, protocol {self.plan.protocol}, "
            f"assignment {self.plan.assignment}; mean ± standard deviation of {seeds} k-means "
            "seeds. Matched things are objects in all images. Assignments are fitted on panoptic "
            "categories, so that splitting may change mIoU a little.",
            "Published gains are of Cityscapes, against components of another area filter.",
        )
        tables = (_settings_table(summary), _compared_table(compare(rows, self.comparisons)))
        axes = ("log2 k", "mIoU, %")
        return StudyResult(tables, rows, notes, _curves(summary), axes, seconds)


def _settings_table(summary: Sequence[Mapping[str, Any]]) -> StudyTable:
    columns = ("features", "k", "splitting", *FIGURES.values())
    about = ("features", "k", "splitting")
    rows = [[row[name] for name in (*about, *FIGURES)] for row in summary]
    return StudyTable("Features, k and splitters", columns, rows)


def _compared_table(compared: Sequence[Compared]) -> StudyTable:
    rows = [
        [
            FIGURES[one.comparison.figure],
            _setting(one.comparison.first),
            one.first,
            _setting(one.comparison.other),
            one.other,
            Gain(*one.value, is_ratio=one.comparison.by == "ratio"),
            None if one.comparison.aim is None else f"≥ {one.comparison.aim:g}",
            None if one.is_met is None else ("yes" if one.is_met else "no"),
            None if one.comparison.published is None else f"{one.comparison.published:+.2f}",
        ]
        for one in compared
    ]
    return StudyTable("One setting against another", COMPARED, rows)


def _setting(setting: tuple[str, int, str]) -> str:
    features, k, splitting = setting
    return f"{features}, k={k}, {splitting}"


def _curves(summary: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Mean IoU against k, one line for each kind of features, under its first splitting."""
    curves: dict[str, dict[float, float]] = {}
    for row in summary:
        points = curves.setdefault(row["features"], {})
        points.setdefault(math.log2(row["k"]), row["miou"].mean)
    return {name: sorted(points.items()) for name, points in curves.items()}
