"""Features side by side: how well clusters of their patches, over k and seeds, tell classes apart.

Clusters are fitted on one split and measured on another, patch by patch: minutes for what a whole
labelling run shows in an hour.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.codebooks.class_votes import nearest_centroid
from relief.ops.kmeans import fit_kmeans
from relief.processes.scripts import TRAIN, run_scripts
from relief.schema.geometry import WindowGeometry
from relief.schema.parts import Backbone
from relief.schema.selection import evenly_spaced
from relief.sources.cityscapes import CityscapesSource
from relief.studies.devices import chosen_device
from relief.studies.published.patch_level import patch_iou
from relief.studies.published.seen_patches import see_patches
from relief.studies.study import Spread, Study, StudyData, StudyResult, StudyTable

log = logging.getLogger("relief")


class ClusteredPatches(Study):
    """Mean IoU over the classes, and how many of them are found, by the majority of each cluster.

    Args:
        features: Backbones by name; several are trainings of one kind with different seeds, whose
            figures are one row.
        ks: Numbers of clusters.
        seeds: Of k-means.
        root: Cityscapes folder with ground truth in both splits.
        split: Split that is measured.
        fit_split: Split that clusters are fitted on; only whether a patch is void is taken of its
            ground truth.
        geometry: The size backbones see, and its windows.
        trainings: Files of weights that are trained first where they are not there: arguments of
            `train.py` by file; `{root}` in them is `root`.
        device: Where backbones run; a GPU where there is one.
        limit: Images of each split, evenly spaced by key; all unless given.
        max_iterations: Of k-means.
    """

    def __init__(
        self,
        features: dict[str, nn.Module | list[nn.Module]],
        ks: Sequence[int],
        seeds: Sequence[int],
        root: str,
        split: str = "val",
        fit_split: str = "train",
        geometry: WindowGeometry | None = None,
        trainings: dict[str, list[str]] | None = None,
        device: str | None = None,
        limit: int | None = None,
        max_iterations: int = 100,
    ) -> None:
        self.features = {
            name: parts if isinstance(parts, list) else [parts] for name, parts in features.items()
        }
        self.ks, self.seeds = tuple(ks), tuple(seeds)
        self.root, self.split, self.fit_split = root, split, fit_split
        self.geometry = geometry or WindowGeometry()
        self.trainings, self.device = trainings or {}, device
        self.limit, self.max_iterations = limit, max_iterations

    def on(self, data: StudyData) -> Study:
        """The same features on another folder."""
        data.refuse("labels", "depth_root", "split", why="this study reads a folder of its splits")
        moved = copy.copy(self)
        moved.root = data.root or self.root
        return moved

    def run(self) -> StudyResult:
        """Trains what is missing, then sees every image once for each kind of features.

        Raises:
            UsageError: There are no images, or a training did not come to its end.
            ReadError: An image or its ground truth cannot be read.
            WeightsError: A backbone cannot be read.
        """
        start = time.perf_counter()
        missing = [
            [one.replace("{root}", self.root) for one in arguments]
            for file, arguments in self.trainings.items()
            if not Path(file).is_file()
        ]
        run_scripts(TRAIN, missing, log.info, "weights")
        backbones = [(n, part) for n, parts in self.features.items() for part in parts]
        for _, backbone in backbones:  # what cannot be loaded is told before any work
            cast(Backbone, backbone).setup()
        runs = [row for name, part in backbones for row in self._rows(name, cast(Backbone, part))]
        notes = (
            f"In percent of the patches of {runs[0]['images']} images of {self.split}, clusters "
            f"fitted on {self.fit_split} and named by the majority; mean ± standard deviation of "
            f"{len(self.seeds)} k-means seeds, of each training where there are several. A class "
            "is found where its IoU is above 0.",
        )
        seconds = time.perf_counter() - start
        return StudyResult([_table(runs, self.ks)], runs, notes, seconds=seconds)

    def _rows(self, name: str, backbone: Backbone) -> Iterator[dict[str, Any]]:
        device = chosen_device(self.device)
        fit, measured = (
            see_patches(self._source(split), backbone, self.geometry, device, name)
            for split in (self.fit_split, self.split)
        )
        samples, features = fit.features.float(), measured.features.float()
        rank = effective_rank(features)
        for k in self.ks:
            for seed in self.seeds:
                means = fit_kmeans(samples, k, seed=seed, max_iterations=self.max_iterations)
                centroids = F.normalize(means, dim=1)
                clusters = nearest_centroid(features, centroids)
                iou = patch_iou(clusters, measured.classes, len(centroids), "majority")
                known = iou[np.isfinite(iou)]
                yield {
                    **{"features": name, "k": k, "splitting": "", "seed": seed},
                    **{"miou": float(known.mean()), "classes": float((known > 0).sum())},
                    **{"images": measured.images, "patches": len(features), "rank": rank},
                }

    def _source(self, split: str) -> CityscapesSource:
        source = CityscapesSource(self.root, split)
        if self.limit is not None:
            source.keys = evenly_spaced(source.keys, self.limit)
        return source


def effective_rank(features: Tensor) -> float:
    """How many directions features spread over: the exponential of the entropy of their variances.

    Roy and Vetterli, "The effective rank", EUSIPCO 2007, of the eigenvalues of the covariance.

    Args:
        features: (N, C) of floating point, N > 1.
    """
    variances = torch.linalg.eigvalsh(features.double().T.cov()).clamp(min=0)
    shares = variances / variances.sum().clamp(min=torch.finfo(torch.float64).tiny)
    return float(torch.special.entr(shares).sum().exp())


def _table(runs: Sequence[Mapping[str, Any]], ks: Sequence[int]) -> StudyTable:
    names = dict.fromkeys(row["features"] for row in runs)

    def spread(name: str, figure: str, k: int | None = None) -> Spread:
        own = [row for row in runs if row["features"] == name and k in (None, row["k"])]
        return Spread.of(float(row[figure]) for row in own)

    asked = [(figure, k) for k in ks for figure in ("miou", "classes")]
    cells = [
        [name, *(spread(name, *one) for one in asked), spread(name, "rank").mean] for name in names
    ]
    columns = [heading for k in ks for heading in (f"k = {k}: mIoU", "classes found")]
    columns.append("effective rank")
    return StudyTable("Features by clusters of their patches", ("features", *columns), cells)
