"""How the labels of a training are measured: as classes, as clusters, or without any."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from relief.metrics.coco_evaluation import InstanceTable
from relief.metrics.instance_ap import BOXES, MASKS
from relief.schema.sources import ImageSource
from relief.studies.scoring.instance_request import InstanceRequest, measure_instances
from relief.studies.scoring.label_sources import STORE, open_labels
from relief.studies.scoring.score import score_labels

Measured = Literal["classes", "clusters", "objects", "boxes"]
_PROTOCOL = "panopticapi"
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


def _named(assignment: str, names: Collection[str], out: Path, truth: ImageSource) -> Scored:
    labels = open_labels(out, STORE, truth.split, truth.label_space)
    scores = score_labels(labels, truth, [_PROTOCOL], [assignment])
    figures = scores.metrics[f"{_PROTOCOL}/{assignment}"]
    failures = [f"{out}: {one['reason']}" for one in scores.failures]
    return Scored({name: figures[name] for name in (*names, "images")}, failures)


def _without_classes(kind: str, out: Path, truth: ImageSource) -> Scored:
    scores = measure_instances(InstanceRequest(labels=str(out), truth=truth, pictures=0))
    measured, counts = scores.metrics[kind], scores.metrics["counts"]
    figures = {name: measured[name] for name in _OBJECTS if name not in _COUNTS}
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
_CLUSTERS = {"pq": "PQ", "pq_things": "things", "pq_stuff": "stuff", "rq": "RQ", "miou": "mIoU"}
_OBJECTS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar100": "AR100"} | {
    name: name for name in _COUNTS
}
FIGURES: dict[Measured, Figures] = {
    "classes": Figures(_CLASSES, partial(_named, "identity", _CLASSES)),
    "clusters": Figures(_CLUSTERS, partial(_named, "majority", _CLUSTERS)),
    "objects": Figures(_OBJECTS, partial(_without_classes, MASKS)),
    "boxes": Figures(_OBJECTS, partial(_without_classes, BOXES)),
}
