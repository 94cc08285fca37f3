"""Why a class is missing: clusters that never win, and the classes that absorb its pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from relief.formats.atomic import write_text
from relief.formats.cityscapes import CityscapesTree
from relief.metrics.panoptic_figures import Classes, fit_assignment
from relief.metrics.semantic_iou import confusion_matrix, iou_per_class
from relief.ops.matching import assignment_rule
from relief.schema.label_spaces import label_space
from relief.studies.label_sources import STORE, open_labels
from relief.studies.score import thing_categories, to_json
from relief.studies.score_runs import SAMPLE_ROOT, SpaceName
from relief.studies.scored_images import read_scored_images

VOID_NAME = "void"
PERCENT = 100.0


@dataclass(frozen=True)
class DiagnoseRequest:
    """Says which clusters are dead and which classes absorb which.

    Args:
        labels: Folder of the labels.
        root: Cityscapes folder with gtFine.
        split: Split that is looked at.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        assignment: How clusters meet classes; one-to-one shows what a fixed probe loses.
        label_space: 19 or 27 classes.
        out: Folder for diagnosis.json.
    """

    labels: str
    root: str = SAMPLE_ROOT
    split: str = "val"
    format: str = STORE
    assignment: Literal["majority", "hungarian", "cups", "identity"] = "hungarian"
    label_space: SpaceName = "cityscapes19"
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return Path(self.out or ".")


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with some labels.

    Attributes:
        num_clusters: Ids there may be.
        dead_clusters: Ids that no labelled pixel has.
        classes_without_cluster: Names of classes that no cluster was assigned to.
        iou: Percent by class name, nan for a class that never occurs.
        ground_truth_px: Pixels by class name.
        absorption: For each class, where its pixels went: percent by class name, largest first,
            those under 1 % left out.
    """

    num_clusters: int
    dead_clusters: list[int]
    classes_without_cluster: list[str]
    iou: dict[str, float]
    ground_truth_px: dict[str, int]
    absorption: dict[str, dict[str, float]]

    @property
    def missed(self) -> dict[str, list[str]]:
        """For each class with ground truth and IoU 0: the two that absorb most of it."""
        others = {
            name: [other for other in shares if other != name]
            for name, shares in self.absorption.items()
        }
        return {
            name: others[name][:2]
            for name, iou in self.iou.items()
            if iou == 0 and self.ground_truth_px[name] > 0
        }


def diagnose_labels(request: DiagnoseRequest) -> Diagnosis:
    """Looks at the maps before splitting.

    Raises:
        UsageError: There are no labels, or none with ground truth.
    """
    space = label_space(request.label_space)
    labels = open_labels(Path(request.labels), request.format, request.split, space)
    truth = CityscapesTree(Path(request.root), request.split)
    images = read_scored_images(labels, truth, space)
    classes = Classes.of(space.things, space.stuffs)
    things = thing_categories(labels, images)
    rule = assignment_rule(request.assignment)
    _, semantic = fit_assignment(rule, images.counts.pixels, things, classes)
    confusion = confusion_matrix(images.semantic, classes.rows(semantic))
    used = set(semantic.tolist())
    iou = PERCENT * iou_per_class(confusion)
    names = [*space.names, VOID_NAME]
    return Diagnosis(
        num_clusters=labels.num_categories,
        dead_clusters=np.flatnonzero(images.semantic.pixels.sum(axis=1) == 0).tolist(),
        classes_without_cluster=[
            name for class_id, name in enumerate(space.names) if class_id not in used
        ],
        iou=dict(zip(space.names, iou.tolist(), strict=True)),
        ground_truth_px=dict(zip(space.names, confusion.sum(axis=1).tolist(), strict=True)),
        absorption={
            name: _shares(row, names) for name, row in zip(space.names, confusion, strict=True)
        },
    )


def write_diagnosis(out: Path, diagnosis: Diagnosis) -> None:
    """Writes OUT/diagnosis.json; raises `WriteError`."""
    write_text(out / "diagnosis.json", to_json(asdict(diagnosis)))


def _shares(pixels: np.ndarray, names: list[str]) -> dict[str, float]:
    total = pixels.sum()
    if total == 0:
        return {}
    shares = PERCENT * pixels / total
    order = np.argsort(-shares, kind="stable")
    return {names[i]: float(shares[i]) for i in order if shares[i] >= 1.0}
