"""How the labels of a training are measured: with their classes, or objects without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from relief.metrics.coco_evaluation import InstanceTable
from relief.metrics.instance_ap import MASKS
from relief.schema.sources import ImageSource
from relief.studies.scoring.instance_request import InstanceRequest, measure_instances
from relief.studies.scoring.label_sources import STORE, open_labels
from relief.studies.scoring.score import score_labels

Measured = Literal["classes", "objects"]
_PROTOCOL, _ASSIGNMENT = "panopticapi", "identity"
_COUNTS = ("found", "doubled", "wrong")


class Scored(NamedTuple):
    """Figures of one store.

    Attributes:
        figures: In percent, or counts, by name; `images` says of how many.
        failures: What could not be read, one line each.
        objects: Of each image, for paired intervals; none where classes are measured.
        keys: The images of `objects`.
    """

    figures: dict[str, float]
    failures: list[str]
    objects: Sequence[InstanceTable] = ()
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class Figures:
    """One way to measure.

    Attributes:
        headings: Of the columns, by the name of the figure.
        score: Measures a store against the ground truth of a data set; raises `UsageError` and
            `ReadError` where one of them is missing.
    """

    headings: Mapping[str, str]
    score: Callable[[Path, ImageSource], Scored]


def _with_classes(out: Path, truth: ImageSource) -> Scored:
    labels = open_labels(out, STORE, truth.split, truth.label_space)
    scores = score_labels(labels, truth, [_PROTOCOL], [_ASSIGNMENT])
    figures = scores.metrics[f"{_PROTOCOL}/{_ASSIGNMENT}"]
    failures = [f"{out}: {one['reason']}" for one in scores.failures]
    return Scored({name: figures[name] for name in (*_CLASSES, "images")}, failures)


def _without_classes(out: Path, truth: ImageSource) -> Scored:
    scores = measure_instances(InstanceRequest(labels=str(out), truth=truth, pictures=0))
    masks, counts = scores.metrics[MASKS], scores.metrics["counts"]
    figures = {name: masks[name] for name in _OBJECTS if name not in _COUNTS}
    figures |= {name: float(counts[name]) for name in (*_COUNTS, "images")}
    failures = [f"{out}: {one['reason']}" for one in scores.failures]
    return Scored(figures, failures, scores.tables, scores.keys)


_CLASSES = {
    "miou": "mIoU",
    "pq": "PQ",
    "pq_plus": "PQ+",
    "sq": "SQ",
    "rq": "RQ",
    "rq_things": "RQ things",
    "precision50": "precision50",
}
_OBJECTS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar100": "AR100"} | {
    name: name for name in _COUNTS
}
FIGURES: dict[Measured, Figures] = {
    "classes": Figures(_CLASSES, _with_classes),
    "objects": Figures(_OBJECTS, _without_classes),
}
