"""Scores labels of any format against ground truth: the figures of `metrics.json`.

The labelling run and `evaluate.py labels` both come through `score_labels`, so that they agree to
the last digit. Figures are in percent.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relief.formats.files.atomic import write_text
from relief.formats.reader import LabelReader
from relief.metrics.bootstrap import bootstrap_intervals
from relief.metrics.instance_precision import (
    coco_instance_precision,
    instance_overlaps,
    per_image_instance_precision,
)
from relief.metrics.panoptic_averages import pq_plus, precision50
from relief.metrics.protocols import PanopticProtocol, panoptic_protocol
from relief.metrics.scoring import PERCENT, Assignment, Scorer
from relief.metrics.semantic_iou import CategoryCounts
from relief.ops.matching import assignment_rule
from relief.schema.batch import Failure
from relief.schema.label_spaces import LabelSpace
from relief.schema.sources import ImageSource
from relief.studies.scoring.scored_images import ScoredImages, read_scored_images

PROTOCOL_NAMES = ("panopticapi", "cups", "seed")
ASSIGNMENT_NAMES = ("majority", "hungarian", "cups")
WRITTEN = ("metrics.json", "assignment.json")
Metrics = Mapping[str, Mapping[str, Any]]

log = logging.getLogger("relief")


@dataclass(frozen=True)
class Scores:
    """The scores of labels.

    Attributes:
        metrics: By `PROTOCOL/ASSIGNMENT`, figures in percent by name; `per_class` and `interval`
            hold more.
        assignments: By name of the assignment.
        space: The classes.
        fitted_on: The split whose ground truth the assignments come from.
        failures: Images that could not be read.
    """

    metrics: dict[str, dict[str, Any]]
    assignments: dict[str, Assignment]
    space: LabelSpace
    fitted_on: str
    failures: list[Failure]


def score_labels(
    labels: LabelReader,
    truth: ImageSource,
    protocols: Sequence[str] = PROTOCOL_NAMES,
    assignments: Sequence[str] = ASSIGNMENT_NAMES,
    fit: CategoryCounts | None = None,
    fitted_on: str = "",
) -> Scores:
    """Scores all labelled images that have ground truth.

    PQ is of the panoptic maps, mIoU and accuracy are of the maps before splitting, assignments
    are fitted on the panoptic categories. Maps are compared at ground-truth size, under `seed` at
    a short side of 512.

    Args:
        labels: The labels.
        truth: The ground truth and its classes.
        protocols: Names of protocols.
        assignments: Names of assignments, `identity` for labels whose ids are classes.
        fit: What assignments are fitted on (`pixel_counts` of another split); by default the
            images scored.
        fitted_on: The name of that split.

    Raises:
        UsageError: No labelled image has ground truth.
        ValueError: A name is none of the known ones.
    """
    rules = {name: assignment_rule(name) for name in assignments}
    space = truth.label_space
    above = labels.num_categories - space.num_classes
    if "identity" in rules and above > 0:
        log.warning(
            "identity: %d of %d ids lie above the classes and count as void. "
            "For clusters use --assignment majority.",
            *(above, labels.num_categories),
        )
    ways = [panoptic_protocol(name) for name in protocols]
    images = read_scored_images(labels, truth, {way.short_side_px for way in ways})
    scorer = Scorer.of(space, labels.num_categories, thing_categories(labels, images))
    counts = images.counts if fit is None else fit
    fitted = {name: scorer.fit(rule, counts) for name, rule in rules.items()}
    instances = _instance_figures(images, scorer)
    metrics = {
        f"{way.name}/{name}": {**_figures(images, scorer, assignment, way, space), **instances}
        for way in ways
        for name, assignment in fitted.items()
    }
    return Scores(metrics, fitted, space, fitted_on, images.failures)


def pixel_counts(labels: LabelReader, truth: ImageSource) -> CategoryCounts:
    """Pixels of the panoptic categories by class, to fit assignments on."""
    return read_scored_images(labels, truth).counts


def thing_categories(labels: LabelReader, images: ScoredImages) -> tuple[int, ...]:
    """The ids that come in instances; where the format is silent, those that mostly do."""
    if labels.thing_ids is not None:
        return tuple(labels.thing_ids)
    table = images.joined().table
    known = table[table[:, 0] >= 0]
    size = labels.num_categories
    all_px = np.bincount(known[:, 0], weights=known[:, 4], minlength=size)
    inside = known[known[:, 1] > 0]
    inside_px = np.bincount(inside[:, 0], weights=inside[:, 4], minlength=size)
    return tuple(np.flatnonzero(2 * inside_px > all_px).tolist())


def write_scores(out: Path, scores: Scores, metrics: Metrics | None = None) -> None:
    """Writes OUT/metrics.json and OUT/assignment.json.

    Args:
        out: The folder.
        scores: Of the labels, or of the first of several runs.
        metrics: Figures in their place, such as means over runs.

    Raises:
        WriteError: A file cannot be written.
    """
    write_text(out / WRITTEN[0], to_json(scores.metrics if metrics is None else metrics))
    content = {
        "label_space": scores.space.name,
        "fitted_on": scores.fitted_on,
        "supervision": f"ground truth of {scores.fitted_on or 'the images scored'}",
        **{
            name: {"panoptic": one.panoptic.tolist(), "semantic": one.semantic.tolist()}
            for name, one in scores.assignments.items()
        },
    }
    write_text(out / WRITTEN[1], to_json(content))


def to_json(values: Mapping[str, Any]) -> str:
    """Sorted JSON with every digit; what does not exist is null."""
    return json.dumps(_without_nan(values), sort_keys=True, indent=1) + "\n"


def _figures(
    images: ScoredImages,
    scorer: Scorer,
    assignment: Assignment,
    protocol: PanopticProtocol,
    space: LabelSpace,
) -> dict[str, Any]:
    confusion = scorer.confusion(images.semantic, assignment)
    rows = images.joined(protocol.short_side_px)
    figures = scorer.figures(rows, confusion, assignment, protocol)
    intervals = bootstrap_intervals(figures.statistics, scorer.classes.is_thing, protocol)
    by_class = PERCENT * np.column_stack((figures.per_class, figures.iou))
    is_thing = scorer.classes.is_thing
    return {
        **figures.row.percent(),
        "pq_plus": PERCENT * pq_plus(figures.statistics, is_thing),
        "precision50": PERCENT * precision50(figures.statistics, is_thing),
        "per_class": {
            name: dict(zip(("pq", "sq", "rq", "iou"), row.tolist(), strict=True))
            for name, row in zip(space.names, by_class, strict=True)
        },
        "interval": {
            name: [PERCENT * low, PERCENT * high] for name, (low, high) in intervals.items()
        },
    }


def _instance_figures(images: ScoredImages, scorer: Scorer) -> dict[str, float]:
    thing_classes = scorer.classes.ids[scorer.classes.is_thing].tolist()
    overlaps = [
        instance_overlaps(table, scorer.things, thing_classes) for table in images.tables[0]
    ]
    coco = coco_instance_precision(overlaps)
    single = per_image_instance_precision(overlaps)
    values = {**coco, **{f"{name}_per_image": value for name, value in single.items()}}
    return {name: PERCENT * value for name, value in values.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
