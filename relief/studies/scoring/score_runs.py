"""What `evaluate.py labels` does: one or several runs, read from any format."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from relief.formats.cityscapes import CityscapesTree
from relief.formats.reader import LabelReader
from relief.metrics.semantic_iou import CategoryCounts
from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace, label_space
from relief.studies.scoring.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scoring.runs import mean_and_spread
from relief.studies.scoring.score import (
    ASSIGNMENT_NAMES,
    PROTOCOL_NAMES,
    Scores,
    pixel_counts,
    score_labels,
)

IDENTITY = "identity"
SpaceName = Literal["cityscapes19", "cityscapes27"]
log = logging.getLogger("relief")
SAMPLE_ROOT = "outputs/sample"


@dataclass(frozen=True)
class ScoreRequest:
    """Scores labels against ground truth.

    Args:
        labels: Folder of the labels; give it several times for the mean and spread of runs.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        protocol: panopticapi, cups or seed; all by default.
        assignment: majority, hungarian, cups or identity; all that apply by default.
        label_space: 19 or 27 classes.
        fit_labels: Labels of another split that assignments are fitted on.
        fit_split: That split.
        out: Folder for metrics.json, assignment.json and the figure.
    """

    labels: list[str]
    root: str = SAMPLE_ROOT
    split: str = "val"
    format: str = STORE
    protocol: Literal["panopticapi", "cups", "seed"] | None = None
    assignment: Literal["majority", "hungarian", "cups", "identity"] | None = None
    label_space: SpaceName = "cityscapes19"
    fit_labels: str | None = None
    fit_split: str = "train"
    out: str | None = None

    @property
    def space(self) -> LabelSpace:
        """The classes."""
        return label_space(self.label_space)

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path(self.out or f"outputs/evaluate/{Path(self.labels[0]).name}")


def score_runs(request: ScoreRequest) -> tuple[dict[str, dict[str, Any]], list[Scores]]:
    """Scores every run.

    Returns:
        The figures for `metrics.json` (means and spread where there are several runs), and the
        scores of each run.

    Raises:
        UsageError: There are no labels, or none with ground truth.
    """
    if not request.labels:
        msg = "no labels given: --labels. Name the folder of a labelling run."
        raise UsageError(msg)
    scores = [_score(request, Path(path)) for path in request.labels]
    return mean_and_spread([one.metrics for one in scores]), scores


def _score(request: ScoreRequest, path: Path) -> Scores:
    labels = open_labels(path, request.format, request.split, request.space)
    truth = CityscapesTree(Path(request.root), request.split)
    _tell_missing(labels, truth)
    fit, fitted_on = _fit(request)
    by_default: Sequence[str] = ASSIGNMENT_NAMES
    if are_class_ids(labels, request.format, request.space):
        by_default = (IDENTITY,)
    return score_labels(
        labels,
        truth,
        request.space,
        [request.protocol] if request.protocol else PROTOCOL_NAMES,
        [request.assignment] if request.assignment else by_default,
        fit=fit,
        fitted_on=fitted_on,
    )


def _tell_missing(labels: LabelReader, truth: CityscapesTree) -> None:
    """Says how many images only one side has: figures are of those that both have."""
    labelled, true = set(labels.keys), set(truth.ground_truth.keys)
    if labelled != true:
        log.warning(
            "measured on %d images: %d labelled ones have no ground truth, %d with ground truth "
            "have no labels",
            *(len(labelled & true), len(labelled - true), len(true - labelled)),
        )


def _fit(request: ScoreRequest) -> tuple[CategoryCounts | None, str]:
    if request.fit_labels is None:
        return None, request.split
    path, split = Path(request.fit_labels), request.fit_split
    labels = open_labels(path, request.format, split, request.space)
    truth = CityscapesTree(Path(request.root), split)
    return pixel_counts(labels, truth, request.space), split
