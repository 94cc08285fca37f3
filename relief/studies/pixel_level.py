"""Label stores as semantic maps: the published pixel-level tables, with and without refinement.

Clusters meet classes on the pixels of the split; things are the connected regions of a class.
Which settings the stores were made with is theirs (`label_args`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from relief.formats.cityscapes import CityscapesTree
from relief.formats.label_store import MANIFEST
from relief.formats.reader import LabelReader, with_progress
from relief.metrics.panoptic_figures import Classes, fit_assignment
from relief.metrics.panoptic_quality import PanopticQuality
from relief.metrics.semantic_iou import confusion_matrix, semantic_averages
from relief.ops.matching import assignment_rule
from relief.ops.resize import resize_nearest
from relief.schema.errors import UsageError
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import CITYSCAPES_19, VOID, thing_mask
from relief.splitters.connected import ConnectedSplitter
from relief.studies.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scored_images import ScoredImages, read_scored_images
from relief.studies.study import Study, StudyResult, StudyTable

PERCENT = 100.0
FIGURES = {
    "miou": "mIoU",
    "pixel_accuracy": "accuracy",
    "pq": "PQ",
    "pq_stuff": "PQ stuff",
    "pq_things": "PQ things",
    "sq": "SQ",
    "rq": "RQ",
}


@dataclass(frozen=True)
class PixelRow:
    """One row of the table.

    Args:
        name: What it is called.
        labels: The label store.
        label_args: Arguments of label.py that make it.
        assignment: How clusters meet classes; not asked for where ids are classes already.
        published: The published figures in percent, by their names in `metrics.json`.
    """

    name: str
    labels: str
    label_args: list[str] = field(default_factory=list)
    assignment: Literal["majority", "hungarian"] = "majority"
    published: dict[str, float] = field(default_factory=dict)


class PixelLevelStudy(Study):
    """Rows of label stores, ours beside the published.

    Args:
        rows: The rows; a store that is not there is left out and said.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        figures: Columns.
        protocol: Name of the PQ protocol.
        min_area_px: Smaller regions of a thing class are no objects.
        short_side_px: The size at which regions are made and compared; 0 as the ground truth is.
    """

    def __init__(
        self,
        rows: list[PixelRow],
        root: str = "data/cityscapes",
        split: str = "val",
        figures: Sequence[str] = tuple(FIGURES),
        protocol: Literal["seed", "panopticapi", "cups"] = "seed",
        min_area_px: int = 10,
        short_side_px: int = 0,
    ) -> None:
        self.rows = rows
        self.root = root
        self.split = split
        self.figures = tuple(figures)
        self.protocol = protocol
        self.splitter = ConnectedSplitter(min_area_px)
        self.short_side_px = short_side_px

    def run(self) -> StudyResult:
        """Scores every store.

        Raises:
            UsageError: There is no store, or none with ground truth.
        """
        start = time.perf_counter()
        there = [row for row in self.rows if (Path(row.labels) / MANIFEST).is_file()]
        missing = [row for row in self.rows if row not in there]
        if not there:
            msg = f"no labels found: {missing[0].labels}. Run `{_command(missing[0])}`."
            raise UsageError(msg)
        runs = [{"name": row.name, **self._figures(row)} for row in there]
        table = StudyTable(
            "Pixels, ours / published",
            ("", *(FIGURES[name] for name in self.figures)),
            [[run["name"], *_cells(run, self.figures)] for run in runs],
        )
        notes = (
            f"In percent, {runs[0]['images']} images of {self.split}; protocol {self.protocol}, "
            "things are connected regions of a class.",
            *(f"Left out, no labels: {row.name}. `{_command(row)}` makes them." for row in missing),
        )
        return StudyResult([table], runs, notes, seconds=time.perf_counter() - start)

    def _figures(self, row: PixelRow) -> dict[str, Any]:
        space = CITYSCAPES_19
        labels = open_labels(Path(row.labels), STORE, self.split, space)
        truth = CityscapesTree(Path(self.root), self.split)
        images = read_scored_images(labels, truth, space)
        name = "identity" if are_class_ids(labels, STORE, space) else row.assignment
        class_of_cluster, semantic = _semantic_figures(images, name)
        metric = PanopticQuality(space.things, space.stuffs, self.protocol)
        for key in with_progress(images.keys, row.name, len(images.keys)):
            predicted, target = self._maps(labels, truth, key, class_of_cluster)
            metric.update(predicted[None], target[None], [key])
        found: dict[str, Any] = {**metric.compute(), **semantic}
        return {
            "images": len(images.keys),
            **{name: PERCENT * float(found[name]) for name in FIGURES},
            **{f"published {name}": value for name, value in row.published.items()},
        }

    def _maps(
        self, labels: LabelReader, truth: CityscapesTree, key: str, class_of_cluster: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predicted and true (H, W, 2) maps of one image."""
        target = truth.target(key, CITYSCAPES_19)
        size = (target.shape[0], target.shape[1])
        if self.short_side_px:
            size = scaled_size(size, self.short_side_px)
            target = resize_nearest(target.movedim(-1, 0), size).movedim(0, -1)
        cluster = resize_nearest(labels.semantic(key), size)
        classes = torch.where(cluster >= 0, class_of_cluster[cluster.clamp(min=0)], VOID)
        is_thing = thing_mask(CITYSCAPES_19.things, CITYSCAPES_19.num_classes)
        instance = self.splitter(classes[None], None, is_thing)[0]
        return torch.stack((classes, instance), dim=-1), target


def _semantic_figures(images: ScoredImages, assignment: str) -> tuple[Tensor, dict[str, float]]:
    """Class of each cluster, fitted on the maps themselves, and their mIoU and accuracy."""
    classes = Classes.of(CITYSCAPES_19.things, CITYSCAPES_19.stuffs)
    rule = assignment_rule(assignment)
    _, class_of_cluster = fit_assignment(rule, images.semantic.pixels, [], classes)
    confusion = confusion_matrix(images.semantic, classes.rows(class_of_cluster))
    return torch.from_numpy(np.asarray(class_of_cluster)), semantic_averages(confusion)


def _cells(run: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    published = [run.get(f"published {name}") for name in names]
    return [
        f"{run[name]:.1f} / {'–' if value is None else f'{value:.1f}'}"
        for name, value in zip(names, published, strict=True)
    ]


def _command(row: PixelRow) -> str:
    return f"python label.py {' '.join(row.label_args)}"
