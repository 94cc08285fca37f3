"""How well the patches of a split cluster into classes: the published table of overclustering.

Every validation image is one grid of patches (23x46 at 322x644). Clusters are fitted on all
patches that are not void in the ground truth, meet classes in the same ground truth, and are
scored on it: what is measured is how many classes the features hold apart, not a labeller.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.metrics.scoring import PERCENT, Scorer
from relief.metrics.semantic_iou import CategoryCounts, iou_per_class
from relief.models.codebooks.class_votes import nearest_centroid
from relief.ops.matching import assignment_rule
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.parts import Backbone, KMeansFitter
from relief.sources.cityscapes import CityscapesSource
from relief.studies.devices import chosen_device
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
    titled,
)
from relief.studies.published.seen_patches import see_patches
from relief.studies.study import Study, StudyData, StudyResult, StudyTable

MEAN = "mIoU"


@dataclass(frozen=True)
class PatchRow:
    """One row of the table.

    Args:
        name: What it is called.
        features: Name of the features.
        kmeans: Makes the clusters, from features in float64.
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
    """Rows of clusters on features, ours above the published.

    Args:
        features: Backbones by name; each that a row names sees every image once.
        rows: The rows.
        root: Cityscapes folder with gtFine.
        split: Split that is fitted on and scored.
        geometry: The size backbones see, and its windows.
        classes: Columns beside mIoU.
        device: Where backbones run; a GPU where there is one.
        about: What ours are of, where the published ones are of something else; for the title.
        label_args: Arguments of label.py, which draws the images where they are the sample's.

    Raises:
        UsageError: Two rows have one name, or a name means nothing.
    """

    def __init__(
        self,
        features: dict[str, nn.Module],
        rows: list[PatchRow],
        root: str = "data/cityscapes",
        split: str = "val",
        geometry: WindowGeometry | None = None,
        classes: Sequence[str] = CITYSCAPES_19.names,
        device: str | None = None,
        about: str = "",
        label_args: Sequence[str] = (),
    ) -> None:
        refuse_double(row.name for row in rows)
        refuse_unknown("features", (row.features for row in rows), features)
        refuse_unknown("class", classes, CITYSCAPES_19.names)
        published = (name for row in rows for name in row.published)
        refuse_unknown("figure", published, (MEAN, *CITYSCAPES_19.names))
        self.features = features
        self.rows = rows
        self.root = root
        self.split = split
        self.geometry = geometry or WindowGeometry()
        self.classes = tuple(classes)
        self.device = device
        self.about = about
        self.label_args = list(label_args)

    def label_commands(self) -> list[list[str]]:
        """The run that draws the images, where there is one."""
        return [self.label_args] if self.label_args else []

    def on(self, data: StudyData) -> PatchLevelStudy:
        """The same rows on another folder or split."""
        data.refuse("labels", "depth_root", why="this study reads images and ground truth only")
        moved = copy.copy(self)
        moved.root, moved.split = data.root or self.root, data.split or self.split
        return moved

    def run(self) -> StudyResult:
        """Sees every image once for each kind of features, then fits row by row.

        Raises:
            UsageError: There are no images, ground truth is missing, or there is no such device.
            ReadError: An image or its ground truth cannot be read.
            WeightsError: A backbone or a published codebook cannot be read.
        """
        start = time.perf_counter()
        device = chosen_device(self.device)
        used = [name for name in self.features if any(row.features == name for row in self.rows)]
        for name in used:  # what cannot be loaded is told before any image is seen
            cast(Backbone, self.features[name]).setup()
        for row in self.rows:
            if hasattr(row.kmeans, "setup"):
                row.kmeans.setup()
        runs = [run for name in used for run in self._runs(name, device)]
        order = {row.name: i for i, row in enumerate(self.rows)}
        runs.sort(key=lambda run: order[run["name"]])
        columns = (MEAN, *self.classes)
        table = StudyTable(
            titled("IoU of patches", self.about),
            ("", *columns),
            beside_published(runs, columns),
        )
        notes = (
            f"In percent, {runs[0]['images']} images of {self.split}; clusters are fitted on, "
            "named by and scored against the same ground truth, as published.",
        )
        return StudyResult([table], runs, notes, seconds=time.perf_counter() - start)

    def _runs(self, features: str, device: torch.device) -> Iterator[dict[str, Any]]:
        source = CityscapesSource(self.root, self.split)
        backbone = cast(Backbone, self.features[features])
        seen = see_patches(source, backbone, self.geometry, device, features)
        for row in self.rows:
            if row.features != features:
                continue
            centroids = row.kmeans.fit(seen.features).to(seen.features)
            compared = F.normalize(centroids, dim=1) if row.cosine else centroids
            clusters = nearest_centroid(seen.features, compared)
            iou = patch_iou(clusters, seen.classes, len(centroids), row.assignment)
            known = iou[np.isfinite(iou)]
            yield {
                "name": row.name,
                "images": seen.images,
                "patches": len(seen.features),
                MEAN: float(known.mean()),
                **dict(zip(CITYSCAPES_19.names, iou.tolist(), strict=True)),
                **published_figures(row.published),
            }


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
    scorer = Scorer.of(CITYSCAPES_19, k)
    fitted = scorer.fit(assignment_rule(assignment), counts)
    return PERCENT * iou_per_class(scorer.confusion(counts, fitted))
