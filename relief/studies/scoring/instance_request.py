"""Options of `evaluate.py instances`, and the readers of instances and objects they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from torch import Tensor

from relief.formats.coco.instances import CocoInstances
from relief.formats.files.atomic import write_text
from relief.formats.images import read_image
from relief.formats.label_instances import LabelInstances
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.schema.errors import UsageError
from relief.schema.instances import ImageInstances, InstanceReader
from relief.schema.label_spaces import LabelSpace, SpaceName
from relief.schema.sources import ImageSource
from relief.sources.cityscapes import given_or_cityscapes
from relief.sources.coco_instances import CocoInstancesSource
from relief.sources.target_instances import objects_of
from relief.studies.measured_on import SAMPLE_ROOT
from relief.studies.scoring.assigned_labels import AssignedLabels
from relief.studies.scoring.instance_scores import InstanceScores, score_instances
from relief.studies.scoring.label_sources import (
    STORE,
    are_class_ids,
    open_labels,
    read_assignment,
)
from relief.studies.scoring.score import to_json


@dataclass(frozen=True)
class InstanceRequest:
    """Measures instances as COCO does: AP and AR, and what was found, missed and doubled.

    Args:
        labels: Folder of the labels.
        predictions: COCO instance JSON, or a list of results, in place of labels.
        truth: COCO instance JSON, or any data set with ground truth, in place of `root`, `split`
            and `label_space`.
        images: Folder of the photographs of a JSON given as truth, for the pictures.
        root: Cityscapes folder with gtFine.
        split: Split that is measured.
        label_space: 19 or 27 classes of Cityscapes.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        by_class: Whether classes are measured as well; the labels must have them.
        assignment: An assignment.json; by it clusters become classes.
        assignment_name: Which of its assignments.
        scores: What makes an instance sure: its score (of labels, their mean confidence), or its
            area, larger ones first. The score where there is one, by default.
        pictures: How many images the page shows.
        out: Folder for metrics.json and report.html; outputs/instances/NAME by default.
    """

    labels: str | None = None
    predictions: str | None = None
    truth: ImageSource | str | None = None
    images: str = ""
    root: str = SAMPLE_ROOT
    split: str = "val"
    label_space: SpaceName = "cityscapes19"
    format: str = STORE
    by_class: bool = False
    assignment: str | None = None
    assignment_name: str = "majority"
    scores: Literal["score", "area"] | None = None
    pictures: int = 12
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path(self.out or f"outputs/instances/{Path(self.measured).stem}")

    @property
    def measured(self) -> str:
        """The path of the labels or predictions; raises `UsageError` unless it is one of them."""
        given = [path for path in (self.labels, self.predictions) if path is not None]
        if len(given) != 1:
            msg = "give --labels OUT or --predictions FILE, one of them. Nothing was measured."
            raise UsageError(msg)
        return given[0]

    @cached_property
    def source(self) -> ImageSource:
        """The data set that is measured on."""
        if isinstance(self.truth, str):
            return CocoInstancesSource(self.truth, self.images, collapse=not self.by_class)
        return given_or_cityscapes(self.truth, self.root, self.split, self.label_space)

    @property
    def photograph(self) -> Callable[[str], Tensor] | None:
        """Reads the photograph of a key; `None` where nobody said where they lie."""
        if isinstance(self.truth, str) and not self.images:
            return None
        return lambda key: read_image(self.source.image_path(key))


def write_instance_scores(request: InstanceRequest) -> InstanceScores:
    """Writes OUT/metrics.json of what was asked for; raises as `measure_instances`, `WriteError`.

    Returns:
        The scores, for the page.
    """
    scores = measure_instances(request)
    write_text(request.folder / "metrics.json", to_json(scores.metrics))
    return scores


def measure_instances(request: InstanceRequest) -> InstanceScores:
    """Measures what was asked for; `counts` also says what instances were ranked by.

    Raises:
        UsageError: Files are missing or hold something else, or classes are not known.
        ReadError: No image can be read.
    """
    path, space = Path(request.measured), request.source.label_space
    predicted: InstanceReader
    ranked_by = request.scores
    if request.labels is not None:
        labels, store = _labels(request, path, space)
        confidence = store.confidence if store is not None else None
        is_sure = store is not None and store.manifest.confidence is not None
        predicted = LabelInstances(labels, confidence)
        ranked_by = ranked_by or ("score" if is_sure else "area")
    else:
        predicted = _predictions(request, path, space)
        ranked_by = ranked_by or "score"
    scores = score_instances(
        predicted,
        objects_of(request.source),
        {i: space.names[i] for i in space.things} if request.by_class else None,
        by_area=ranked_by == "area",
        num_examples=request.pictures,
    )
    scores.metrics["counts"]["ranked_by"] = ranked_by
    return scores


def _labels(
    request: InstanceRequest, path: Path, space: LabelSpace
) -> tuple[LabelReader, LabelStore | None]:
    """Opens the labels, in classes where an assignment is given, and the store they lie in."""
    labels = open_labels(path, request.format, request.split, space)
    store = labels if isinstance(labels, LabelStore) else None
    if request.assignment is not None:
        classes = read_assignment(Path(request.assignment), request.assignment_name)
        return AssignedLabels(labels, classes, space), store
    if request.by_class and not are_class_ids(labels, request.format, space):
        msg = f"labels have no classes of {space.name}: {path}. Give --assignment FILE.json."
        raise UsageError(msg)
    return labels, store


def _predictions(request: InstanceRequest, path: Path, space: LabelSpace) -> InstanceReader:
    truth = request.source.file if isinstance(request.source, CocoInstancesSource) else None
    predictions = CocoInstances(path, truth)
    if not request.by_class:
        return predictions
    ids = {name: i for i, name in enumerate(space.names)}
    unknown = [name for name in predictions.categories.values() if name not in ids]
    if unknown:
        msg = f"{path}: category {unknown[0]} is no class of {space.name}. "
        raise UsageError(f"{msg}Leave --by_class out.")
    return _ByName(predictions, {c: ids[name] for c, name in predictions.categories.items()})


class _ByName:
    """Predictions in the class ids of the ground truth; fits `InstanceReader`."""

    def __init__(self, file: CocoInstances, class_of_category: Mapping[int, int]) -> None:
        self.file, self.class_of_category = file, class_of_category
        self.keys, self.has_masks = file.keys, file.has_masks

    def instances(self, key: str) -> ImageInstances:
        return self.file.instances(key).in_classes(self.class_of_category)
