"""A label store written in another format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relief.formats.cityscapes import write_cityscapes
from relief.formats.coco_panoptic import photographs, write_coco_panoptic
from relief.formats.cups import write_cups
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.schema.categories import class_categories, cluster_categories
from relief.schema.errors import UsageError
from relief.schema.label_spaces import label_space
from relief.studies.scoring.assigned_labels import AssignedLabels
from relief.studies.scoring.label_sources import STORE, open_labels, read_assignment
from relief.studies.scoring.score_runs import SpaceName


@dataclass(frozen=True)
class ExportRequest:
    """Writes a label store in another format.

    Args:
        labels: The label store.
        format: coco_panoptic, cityscapes or cups.
        out: Where to.
        assignment: An assignment.json; by it clusters become classes.
        assignment_name: Which of its assignments.
        label_space: The classes of the assignment.
        split: Folder name in Cityscapes output.
    """

    labels: str
    format: Literal["coco_panoptic", "cityscapes", "cups"]
    out: str
    assignment: str | None = None
    assignment_name: str = "majority"
    label_space: SpaceName = "cityscapes19"
    split: str = "val"

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return Path(self.out)


Writer = Callable[[ExportRequest, LabelReader, Sequence[str]], None]


def export_labels(request: ExportRequest) -> None:
    """Writes the labels.

    Raises:
        UsageError: Clusters cannot be written as classes without an assignment; wrong files.
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    space = label_space(request.label_space)
    store = open_labels(Path(request.labels), STORE, request.split, space)
    assert isinstance(store, LabelStore)
    supervision = list(store.manifest.supervision)
    labels: LabelReader = store
    if request.assignment is not None:
        classes = read_assignment(Path(request.assignment), request.assignment_name)
        if len(classes) != store.num_categories:
            msg = (
                f"assignment is of other labels: {request.assignment} ({len(classes)} categories, "
                f"the labels have {store.num_categories}). Make it with evaluate.py labels."
            )
            raise UsageError(msg)
        labels = AssignedLabels(store, classes, space)
        supervision.append(f"classes assigned by {request.assignment_name} vote of ground truth")
    WRITERS[request.format](request, labels, supervision)


def _write_coco(request: ExportRequest, labels: LabelReader, supervision: Sequence[str]) -> None:
    classes = class_categories(label_space(request.label_space))
    has_classes = isinstance(labels, AssignedLabels) or _is_of_classes(labels)
    clusters = cluster_categories(labels.num_categories, labels.thing_ids or ())
    categories = classes if has_classes else clusters
    names = photographs(Path(request.labels))
    write_coco_panoptic(Path(request.out), labels, categories, supervision, names)


def _is_of_classes(labels: LabelReader) -> bool:
    return isinstance(labels, LabelStore) and labels.manifest.classes is not None


def _write_cityscapes(
    request: ExportRequest, labels: LabelReader, _supervision: Sequence[str]
) -> None:
    write_cityscapes(
        Path(request.out), labels, label_space(request.label_space), split=request.split
    )


def _write_cups(request: ExportRequest, labels: LabelReader, _supervision: Sequence[str]) -> None:
    write_cups(Path(request.out), labels)


WRITERS: dict[str, Writer] = {
    "coco_panoptic": _write_coco,
    "cityscapes": _write_cityscapes,
    "cups": _write_cups,
}
