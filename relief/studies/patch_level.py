"""How well the patches of a split cluster into classes: the published table of overclustering.

Every validation image is one grid of patches (23x46 at 322x644). Clusters are fitted on all
patches that are not void in the ground truth, meet classes in the same ground truth, and are
scored on it: what is measured is how many classes the features hold apart, not a labeller.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from relief.formats.cityscapes import CityscapesTree
from relief.formats.images import read_image
from relief.metrics.panoptic_figures import Classes, fit_assignment
from relief.metrics.semantic_iou import CategoryCounts, confusion_matrix, iou_per_class
from relief.models.class_votes import nearest_centroid, patch_classes
from relief.models.cluster_segmentation import window_features
from relief.models.feature_samples import patch_features, patch_grid
from relief.ops.matching import assignment_rule
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.parts import Backbone, KMeansFitter
from relief.studies.study import Study, StudyResult, StudyTable

PERCENT = 100.0


@dataclass(frozen=True)
class PatchRow:
    """One row of the table.

    Args:
        name: What it is called.
        features: Name of the features.
        kmeans: Makes the clusters.
        assignment: How clusters meet classes: majority or hungarian.
        cosine: Patches belong to the cluster of the most similar centroid, not the nearest.
        published: The published figures in percent, by `mIoU` or name of the class.
    """

    name: str
    features: str
    kmeans: KMeansFitter
    assignment: Literal["majority", "hungarian"] = "majority"
    cosine: bool = False
    published: dict[str, float] = field(default_factory=dict)


class PatchLevelStudy(Study):
    """Rows of clusters on features, ours beside the published.

    Args:
        features: Backbones by name; each sees every image once.
        rows: The rows.
        root: Cityscapes folder with gtFine.
        split: Split that is fitted on and scored.
        geometry: The size backbones see, and its windows.
        classes: Columns beside mIoU.
    """

    def __init__(
        self,
        features: dict[str, nn.Module],
        rows: list[PatchRow],
        root: str = "data/cityscapes",
        split: str = "val",
        geometry: WindowGeometry | None = None,
        classes: Sequence[str] = CITYSCAPES_19.names,
    ) -> None:
        self.features = features
        self.rows = rows
        self.root = root
        self.split = split
        self.geometry = geometry or WindowGeometry()
        self.classes = tuple(classes)

    def run(self) -> StudyResult:
        """Sees every image once for each kind of features, then fits row by row.

        Raises:
            UsageError: There are no images.
            ReadError: An image or its ground truth cannot be read.
            WeightsError: A backbone or a published codebook cannot be read.
        """
        start = time.perf_counter()
        for backbone in self.features.values():
            cast(Backbone, backbone).setup()
        runs = [run for name in self.features for run in self._runs(name)]
        order = {row.name: i for i, row in enumerate(self.rows)}
        runs.sort(key=lambda run: order[run["name"]])
        columns = ("mIoU", *self.classes)
        table = StudyTable(
            "IoU of patches, ours / published",
            ("", *columns),
            [[run["name"], *_cells(run, columns)] for run in runs],
        )
        notes = (
            f"In percent, {runs[0]['images']} images of {self.split}; clusters are fitted on, "
            "named by and scored against the same ground truth, as published.",
        )
        return StudyResult([table], runs, notes, seconds=time.perf_counter() - start)

    def _runs(self, features: str) -> Iterator[dict[str, Any]]:
        rows = [row for row in self.rows if row.features == features]
        patches, classes, images = self._see(features)
        for row in rows:
            centroids = row.kmeans.fit(patches)
            compared = F.normalize(centroids, dim=1) if row.cosine else centroids
            clusters = nearest_centroid(patches, compared)
            iou = patch_iou(clusters, classes, len(centroids), row.assignment)
            known = iou[np.isfinite(iou)]
            yield {
                "name": row.name,
                "images": images,
                "patches": len(patches),
                "mIoU": float(known.mean()),
                **dict(zip(CITYSCAPES_19.names, iou.tolist(), strict=True)),
                **{f"published {name}": value for name, value in row.published.items()},
            }

    @torch.no_grad()
    def _see(self, features: str) -> tuple[Tensor, Tensor, int]:
        """(N, C) unit features of all known patches, (N,) their classes, and how many images."""
        backbone = cast(Backbone, self.features[features])
        tree = CityscapesTree(Path(self.root), self.split)
        seen, classes = [], []
        for key in track(tree.keys, features, console=Console(stderr=True), transient=True):
            image = read_image(tree.image_path(key)).to(torch.float32) / 255
            windows = window_features(backbone, image, self.geometry)
            target = tree.target(key, CITYSCAPES_19)[..., 0]
            own = patch_classes(target, patch_grid(windows, backbone.patch_px))
            seen.append(patch_features(windows, backbone.patch_px)[own >= 0])
            classes.append(own[own >= 0])
        return torch.cat(seen), torch.cat(classes), len(tree.keys)


def patch_iou(clusters: Tensor, classes: Tensor, k: int, assignment: str) -> Any:
    """IoU of each of the 19 classes in percent, nan for one that never occurs.

    Args:
        clusters: (N,) int64.
        classes: (N,) int64, none of them void.
        k: Number of clusters.
        assignment: Name of the rule.
    """
    num_classes = CITYSCAPES_19.num_classes
    votes = torch.bincount(clusters * num_classes + classes, minlength=k * num_classes)
    counts = CategoryCounts(
        votes.view(k, num_classes).numpy(), np.zeros(num_classes, dtype=np.int64)
    )
    scored = Classes.of(CITYSCAPES_19.things, CITYSCAPES_19.stuffs)
    _, class_of_cluster = fit_assignment(assignment_rule(assignment), counts.pixels, [], scored)
    return PERCENT * iou_per_class(confusion_matrix(counts, scored.rows(class_of_cluster)))


def _cells(run: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    return [f"{run[name]:.1f} / {_published(run, name)}" for name in columns]


def _published(run: Mapping[str, Any], name: str) -> str:
    value = run.get(f"published {name}")
    return "–" if value is None else f"{value:.1f}"
