"""A label store written in another format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relief.formats.cityscapes import write_cityscapes
from relief.formats.coco.instances import INSTANCES, write_coco_instances
from relief.formats.coco.panoptic import photographs, write_coco_panoptic
from relief.formats.cups import write_cups
from relief.formats.label_instances import LabelInstances
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.processes.progress import with_progress
from relief.schema.categories import Category, class_categories, cluster_categories
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
        format: coco_panoptic, coco_instances (masks and scores of things), cityscapes or cups.
        out: Where to.
        assignment: An assignment.json; by it clusters become classes.
        assignment_name: Which of its assignments.
        label_space: The classes of the assignment.
        split: Folder name in Cityscapes output.
    """

    labels: str
    format: Literal["coco_panoptic", "coco_instances", "cityscapes", "cups"]
    out: str
    assignment: str | None = None
    assignment_name: str = "majority"
    label_space: SpaceName = "cityscapes19"
    split: str = "val"

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return Path(self.out)


@dataclass(frozen=True)
class _Export:
    """A label store as it is written: its ids, or the classes assigned to them.

    Attributes:
        request: Where to and how.
        store: The label store.
        labels: The labels.
        categories: Of their ids.
        supervision: What labels and names depended on.
    """

    request: ExportRequest
    store: LabelStore
    labels: LabelReader
    categories: Sequence[Category]
    supervision: Sequence[str]


Writer = Callable[[_Export], None]


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
    clusters = cluster_categories(labels.num_categories, labels.thing_ids or ())
    has_classes = labels is not store or store.manifest.classes is not None
    categories = class_categories(space) if has_classes else clusters
    WRITERS[request.format](_Export(request, store, labels, categories, supervision))


def _write_coco(export: _Export) -> None:
    names = photographs(export.store.out)
    out = export.request.folder
    told = (export.labels, export.categories, export.supervision, names, export.store.confidence)
    write_coco_panoptic(out, *told)


def _write_coco_instances(export: _Export) -> None:
    instances = LabelInstances(export.labels, export.store.confidence)
    names = photographs(export.store.out)
    keys = with_progress(instances.keys, "COCO instances", len(instances.keys))
    images = ((names.get(key, f"{key}.png"), instances.instances(key)) for key in keys)
    things = [category for category in export.categories if category["isthing"]]
    out = export.request.folder / INSTANCES
    write_coco_instances(out, images, things, export.supervision)


def _write_cityscapes(export: _Export) -> None:
    request = export.request
    space = label_space(request.label_space)
    write_cityscapes(request.folder, export.labels, space, split=request.split)


def _write_cups(export: _Export) -> None:
    write_cups(export.request.folder, export.labels)


WRITERS: dict[str, Writer] = {
    "coco_panoptic": _write_coco,
    "coco_instances": _write_coco_instances,
    "cityscapes": _write_cityscapes,
    "cups": _write_cups,
}
