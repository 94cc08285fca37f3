"""Cuts in 3-D side by side: AP without classes of the labels themselves, no detector trained.

Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024. Its
tables measure detectors on COCO; differences between rows are what can be compared.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from relief.formats.depth_files import FolderDepth
from relief.formats.images import read_image
from relief.metrics.coco_evaluation import InstanceTable
from relief.metrics.instance_ap import MASKS, InstanceAveragePrecision
from relief.metrics.instance_matches import match_instances
from relief.metrics.scoring import PERCENT
from relief.models.labelling.cut_objects import network_image, painted
from relief.ops.cuts.cut_3d import CutSettings, extract
from relief.ops.objects.instance_masks import panoptic_instances
from relief.ops.objects.panoptic_map import resize_depth
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError
from relief.schema.geometry import scaled_size
from relief.schema.instances import ImageInstances
from relief.schema.parts import Backbone
from relief.schema.selection import evenly_spaced
from relief.schema.sources import ImageSource, keys_with_target
from relief.sources.target_instances import TargetInstances
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
)
from relief.studies.scoring.instance_gains import gains_table
from relief.studies.study import Study, StudyResult, StudyTable

_DEPTH_SHORT_SIDE_PX = 512  # as CutLabeler
_FIGURES = ("AP", "AP50", "AP75", "AR100", "found", "wrong")
_NAMES = {"AP": "ap", "AP50": "ap50", "AP75": "ap75", "AR100": "ar100"}
_NOTE = (
    "Masks of the labels, all things as one class, in percent; no detector is trained. Published "
    "figures are of detectors on COCO val2017, so only differences between rows can be compared."
)


@dataclass(frozen=True)
class CutRow:
    """One way to cut.

    Args:
        name: What it is called.
        settings: Of the cut.
        uses_depth: `False` is MaskCut.
        by_confidence: Whether objects are ranked by their confidence; else all are alike.
        against: The row that it is compared with; the first by default.
        published: The published figures, by column.
    """

    name: str
    settings: CutSettings = CutSettings()  # noqa: RUF009  # frozen
    uses_depth: bool = True
    by_confidence: bool = True
    against: str | None = None
    published: dict[str, float] = field(default_factory=dict)


class CutStudy(Study):
    """A row for each way to cut the same features and depth.

    Args:
        title: Of the table.
        rows: What is measured, each under a name of its own.
        backbone: An `nn.Module` that fits `Backbone`.
        source: Images with ground truth.
        depth: Their depth files.
        size_px: As `CutLabeler`.
        num_masks: At most so many objects of an image.
        limit: Images, evenly spaced by key; all unless given.

    Raises:
        UsageError: There is no row, or names are double or unknown.
    """

    def __init__(
        self,
        title: str,
        rows: list[CutRow],
        backbone: nn.Module,
        source: ImageSource,
        depth: FolderDepth,
        size_px: tuple[int, int] | int = (480, 480),
        num_masks: int = 3,
        limit: int | None = None,
    ) -> None:
        if not rows:
            msg = "no cuts given: rows is empty. Name what is measured."
            raise UsageError(msg)
        names = [row.name for row in rows]
        refuse_double(names)
        refuse_unknown("row", [row.against for row in rows if row.against is not None], names)
        for row in rows:
            refuse_unknown("figure", row.published, _FIGURES)
        self.title, self.rows, self.backbone = title, rows, backbone
        self.source, self.depth, self.limit = source, depth, limit
        self.size_px, self.num_masks = size_px, num_masks

    def run(self) -> StudyResult:
        """Sees every image once and cuts it in every way.

        Raises:
            UsageError: There are no images, or one has no depth.
            ReadError: An image, its depth or its ground truth cannot be read.
            WeightsError: The backbone cannot be set up.
        """
        start = time.perf_counter()
        keys = keys_with_target(self.source)
        keys = keys if self.limit is None else evenly_spaced(keys, self.limit)
        depths = {key: self._depth_file(key) for key in keys}
        cast(Backbone, self.backbone).setup()
        self.backbone.eval()
        measured = {row.name: _Measured() for row in self.rows}
        truth = TargetInstances(self.source)
        for key in with_progress(keys, self.title, len(keys)):
            objects = truth.instances(key)
            image = read_image(self.source.image_path(key)).float() / 255
            features, depth = self._seen(image, depths[key])
            for row in self.rows:
                instances = _cut(features, depth, row, self.num_masks, objects.size)
                measured[row.name].add(key, instances, objects)
        runs = [
            {"name": row.name, **measured[row.name].figures(), **published_figures(row.published)}
            for row in self.rows
        ]
        table = StudyTable(
            f"{self.title}, {len(keys)} images, published below ours",
            ("cut", *_FIGURES),
            beside_published(runs, _FIGURES),
        )
        tables = [table, *self._gains(measured)]
        return StudyResult(tables, runs, [_NOTE], seconds=time.perf_counter() - start)

    def _depth_file(self, key: str) -> str:
        path = self.depth.find(self.source.split, key)
        if path is None:
            msg = f"no depth of {key} in {self.depth.root}. Cutting in 3-D needs some."
            raise UsageError(msg)
        return path

    @torch.no_grad()
    def _seen(self, image: Tensor, depth_file: str) -> tuple[Tensor, Tensor]:
        """Features (C, h, w) and depth (H, W) of an image (3, H, W)."""
        backbone = cast(Backbone, self.backbone)
        features = backbone(network_image(image, self.size_px, backbone.patch_px))[0]
        size = scaled_size((image.shape[-2], image.shape[-1]), _DEPTH_SHORT_SIDE_PX)
        return features, resize_depth(self.depth.read(depth_file)[None], size)[0, 0]

    def _gains(self, measured: dict[str, _Measured]) -> list[StudyTable]:
        names = [row.name for row in self.rows]
        against = [names.index(row.against or names[0]) for row in self.rows[1:]]
        tables = [(name, measured[name].tables()) for name in names]
        return [gains_table(tables, against)] if against else []


class _Measured:
    """The objects that one row finds, against those that are there."""

    def __init__(self) -> None:
        self._metric = InstanceAveragePrecision(kinds=[MASKS])
        self._counts = Counter[str]()

    def add(self, key: str, instances: ImageInstances, objects: ImageInstances) -> None:
        self._metric.update([instances], [objects], [key])
        self._counts.update(match_instances(instances, objects, MASKS).counts())

    def figures(self) -> dict[str, Any]:
        values = self._metric.compute()
        figures = {name: PERCENT * float(values[f"{MASKS}/{n}"]) for name, n in _NAMES.items()}
        return {**figures, "found": self._counts["found"], "wrong": self._counts["wrong"]}

    def tables(self) -> Sequence[InstanceTable]:
        return self._metric.tables(MASKS)


def _cut(
    features: Tensor, depth: Tensor, row: CutRow, num_masks: int, size: tuple[int, int]
) -> ImageInstances:
    """The objects of one image at the size of its ground truth."""
    looked_at = depth if row.uses_depth else None
    masks, sure = extract(features, looked_at, num_masks, row.settings)
    instance, confidence, _ = painted(masks, sure, size)
    panoptic = torch.stack((torch.where(instance > 0, 0, -1), instance), dim=-1)
    return panoptic_instances(panoptic, [0], confidence if row.by_confidence else None)
