"""A label store written in another format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from relief.formats.coco.panoptic import photographs
from relief.formats.decisions import DecidedLabels, Decisions
from relief.formats.exports.corrections import CorrectedLabels, Corrections
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.formats.label_store import LabelStore, finished_store
from relief.formats.reader import LabelReader
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19, SpaceName, label_space
from relief.studies.category_naming import NamedLabels, as_they_are, by_assignment, by_hand

_ROOM = "relief.formats.exports"
EXPORTS = {
    "coco_panoptic": f"{_ROOM}.coco.CocoPanopticExport",
    "coco_instances": f"{_ROOM}.coco.CocoInstancesExport",
    "cityscapes": f"{_ROOM}.cityscapes_ids.CityscapesIdsExport",
    "cups": f"{_ROOM}.cups_files.CupsExport",
    "yolo": f"{_ROOM}.yolo.YoloSegmentation",
    "labelme": f"{_ROOM}.labelme.LabelMe",
    "label_studio": f"{_ROOM}.label_studio.LabelStudio",
    "huggingface": f"{_ROOM}.hugging_face.HuggingFaceDataset",
    "store": f"{_ROOM}.label_folder.StoreExport",
}
CORRECTIONS = {
    "coco_instances": f"{_ROOM}.coco.CocoCorrections",
    "labelme": f"{_ROOM}.labelme.LabelMeCorrections",
    "label_studio": f"{_ROOM}.label_studio.LabelStudioCorrections",
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
        names: A names.yaml; clusters of one name become one category.
        label_space: The classes of the assignment or of the names; the store's own where its ids
            are classes.
        split: Folder name in the output of formats that have splits.
        photographs: The folder that was labelled, for formats that keep photographs beside labels.
        corrections: What people made of an export in coco_instances, labelme or label_studio:
            the name of that format, and the file or folder under `corrections.path`.
        decisions: A decisions.json of the review page, applied before anything is named.
    """

    labels: str
    format: Exporter
    out: str
    assignment: str | None = None
    assignment_name: str = "majority"
    names: str | None = None
    label_space: SpaceName | None = None
    split: str = "val"
    photographs: str | None = None
    corrections: Corrections | None = None
    decisions: str | None = None

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return Path(self.out)

    def write(self) -> Path:
        """Writes the labels, as `export_labels`; returns where to."""
        export_labels(self)
        return self.folder


def export_labels(request: ExportRequest) -> None:
    """Writes the labels.

    Raises:
        UsageError: Clusters cannot be written as classes without an assignment; wrong files.
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    request.format.write(request.folder, exported_labels(request))


def exported_labels(request: ExportRequest) -> ExportedLabels:
    """Returns the labels as they are written: named and corrected.

    Raises:
        UsageError: There are none, or names or corrections are of others.
    """
    store = finished_store(Path(request.labels))
    labels = _decided(request, store)
    named = _named(request, store, labels)
    supervision = [*store.manifest.supervision, *named.supervision]
    if labels is not store:
        supervision.append("reviewed by hand")
    exported = ExportedLabels(
        named.labels,
        named.categories,
        store.manifest,
        named.space,
        store.confidence,
        photographs(store.out),
        supervision,
        Path(request.photographs) if request.photographs else None,
        request.split,
    )
    if request.corrections is None:
        return exported
    names = {key: exported.file_name(key) for key in named.labels.keys}
    keys = request.corrections.keys(names)
    if not keys:
        raise UsageError(f"no corrections of these labels: {request.labels}. Check both.")
    corrected = CorrectedLabels(named.labels, request.corrections, named.categories, keys)
    told = [*supervision, "corrected by hand"]
    return replace(exported, labels=corrected, supervision=told, confidence=lambda _: None)


def _decided(request: ExportRequest, store: LabelStore) -> LabelReader:
    if request.decisions is None:
        return store
    manifest = store.manifest
    of = (manifest.settings_digest(), manifest.is_thing)
    return DecidedLabels(store, Decisions.read(Path(request.decisions), *of))


def _named(request: ExportRequest, store: LabelStore, labels: LabelReader) -> NamedLabels:
    space = label_space(request.label_space) if request.label_space else None
    if request.assignment is not None:
        if request.names is not None:
            raise UsageError("both --assignment and --names: clusters get their names by one.")
        classes = (request.assignment, request.assignment_name, space or CITYSCAPES_19)
        return by_assignment(labels, *classes)
    if request.names is not None:
        return by_hand(labels, request.names, space)
    return as_they_are(store, labels, request.label_space)
