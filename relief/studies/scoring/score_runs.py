"""Scores of one or several runs, read from any format: `evaluate.py labels`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from relief.formats.reader import LabelReader
from relief.metrics.semantic_iou import CategoryCounts
from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace
from relief.schema.sources import ImageSource, keys_with_target
from relief.sources.cityscapes import given_or_cityscapes
from relief.studies.measured_on import MeasuredOn
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
log = logging.getLogger("relief")


@dataclass(frozen=True)
class ScoreRequest(MeasuredOn):
    """Scores labels against ground truth.

    Args:
        labels: Folder of the labels; give it several times for the mean and spread of runs.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        protocol: panopticapi, cups or seed; all by default.
        assignment: majority, hungarian, cups or identity; all that apply by default.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
        fit_labels: Labels of another split that assignments are fitted on.
        fit_split: That split.
        fit_truth: That split of any data set, in place of `root` and `fit_split`.
        out: Folder for metrics.json, assignment.json and the figure.
    """

    labels: list[str]
    format: str = STORE
    protocol: Literal["panopticapi", "cups", "seed"] | None = None
    assignment: Literal["majority", "hungarian", "cups", "identity"] | None = None
    fit_labels: str | None = None
    fit_split: str = "train"
    fit_truth: ImageSource | None = None
    out: str | None = None

    @property
    def space(self) -> LabelSpace:
        """The classes."""
        return self.ground_truth.label_space

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
    truth = request.ground_truth
    labels = open_labels(path, request.format, truth.split, truth.label_space)
    _tell_missing(labels, truth)
    fit, fitted_on = _fit(request)
    by_default: Sequence[str] = ASSIGNMENT_NAMES
    if are_class_ids(labels, request.format, truth.label_space):
        by_default = (IDENTITY,)
    return score_labels(
        labels,
        truth,
        [request.protocol] if request.protocol else PROTOCOL_NAMES,
        [request.assignment] if request.assignment else by_default,
        fit=fit,
        fitted_on=fitted_on,
    )


def _tell_missing(labels: LabelReader, truth: ImageSource) -> None:
    """Says how many images only one side has: figures are of those that both have."""
    labelled, true = set(labels.keys), set(keys_with_target(truth))
    if labelled != true:
        log.warning(
            "measured on %d images: %d labelled ones have no ground truth, %d with ground truth "
            "have no labels",
            *(len(labelled & true), len(labelled - true), len(true - labelled)),
        )


def _fit(request: ScoreRequest) -> tuple[CategoryCounts | None, str]:
    if request.fit_labels is None:
        return None, request.ground_truth.split
    truth = given_or_cityscapes(
        request.fit_truth, request.root, request.fit_split, request.label_space
    )
    space = truth.label_space
    labels = open_labels(Path(request.fit_labels), request.format, truth.split, space)
    return pixel_counts(labels, truth), truth.split
