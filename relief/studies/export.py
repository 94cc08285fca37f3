"""A label store written in another format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relief.formats.coco.panoptic import photographs
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.schema.categories import class_categories, cluster_categories
from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace, SpaceName, label_space
from relief.studies.scoring.assigned_labels import AssignedLabels
from relief.studies.scoring.label_sources import STORE, open_labels, read_assignment

_ROOM = "relief.formats.exports"
EXPORTS = {
    "coco_panoptic": f"{_ROOM}.coco.CocoPanopticExport",
    "coco_instances": f"{_ROOM}.coco.CocoInstancesExport",
    "cityscapes": f"{_ROOM}.cityscapes_ids.CityscapesIdsExport",
    "cups": f"{_ROOM}.cups_files.CupsExport",
    "yolo": f"{_ROOM}.yolo.YoloSegmentation",
    "labelme": f"{_ROOM}.labelme.LabelMe",
    "label_studio": f"{_ROOM}.label_studio.LabelStudio",
}


@dataclass(frozen=True)
class ExportRequest:
    """Writes a label store in another format.

    Args:
        labels: The label store.
        format: The name of one (docs/exports.md), or the class path of an exporter.
        out: Where to.
        assignment: An assignment.json; by it clusters become classes.
        assignment_name: Which of its assignments.
        label_space: The classes of the assignment; the store's own where its ids are classes.
        split: Folder name in the output of formats that have splits.
        photographs: The folder that was labelled, for formats that keep photographs beside labels.
    """

    labels: str
    format: Exporter
    out: str
    assignment: str | None = None
    assignment_name: str = "majority"
    label_space: SpaceName | None = None
    split: str = "val"
    photographs: str | None = None

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return Path(self.out)


def export_labels(request: ExportRequest) -> None:
    """Writes the labels.

    Raises:
        UsageError: Clusters cannot be written as classes without an assignment; wrong files.
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    request.format.write(request.folder, exported_labels(request))


def exported_labels(request: ExportRequest) -> ExportedLabels:
    """Returns the labels as they are written: their ids, or the classes assigned to them.

    Raises:
        UsageError: There are none, or the assignment is of others.
    """
    store = LabelStore(Path(request.labels))
    open_labels(store.out, STORE, request.split, label_space("cityscapes19"))  # or refuses
    space = _space(request, store)
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
    are_classes = labels is not store or store.manifest.classes is not None
    return ExportedLabels(
        labels,
        class_categories(space)
        if are_classes
        else cluster_categories(labels.num_categories, labels.thing_ids or ()),
        store,
        space,
        photographs(store.out),
        supervision,
        Path(request.photographs) if request.photographs else None,
        request.split,
    )


def _space(request: ExportRequest, store: LabelStore) -> LabelSpace:
    classes = store.manifest.classes
    if request.label_space is None or request.assignment is not None:
        return label_space(request.label_space or classes or "cityscapes19")
    if classes is not None and classes != request.label_space:
        msg = (
            f"labels are of other classes: {store.out} ({classes}, not {request.label_space}). "
            "Leave --label_space out."
        )
        raise UsageError(msg)
    return label_space(request.label_space)
