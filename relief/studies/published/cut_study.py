"""Cuts in 3-D side by side: AP without classes of the labels themselves, no detector trained.

Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024. Its
tables measure detectors on COCO; differences between rows are what can be compared.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Mapping, Sequence
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
from relief.sources.cityscapes import CityscapesSource
from relief.sources.target_instances import TargetInstances
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
)
from relief.studies.scoring.instance_gains import gains_table
from relief.studies.study import Study, StudyData, StudyResult, StudyTable

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
        size_px: As `CutLabeler`; that of the study by default.
        num_masks: At most so many objects of an image; that of the study by default.
        published: The published figures, by column.
    """

    name: str
    settings: CutSettings = CutSettings()  # noqa: RUF009  # frozen
    uses_depth: bool = True
    by_confidence: bool = True
    against: str | None = None
    size_px: tuple[int, int] | int | None = None
    num_masks: int | None = None
    published: dict[str, float] = field(default_factory=dict)


class CutStudy(Study):
    """A row for each way to cut the same features and depth.

    Args:
        title: Of the table.
        rows: What is measured, each under a name of its own.
        backbone: An `nn.Module` that fits `Backbone`.
        source: Images with ground truth.
        depth: Their depth files; without any, rows that use depth are left out.
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
        depth: FolderDepth | None = None,
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

    def on(self, data: StudyData) -> CutStudy:
        """Returns the study of a Cityscapes tree; raises `UsageError` for labels."""
        data.refuse("labels", why="this study makes its own labels")
        given = copy.copy(self)
        if data.root is not None:
            given.source = CityscapesSource(data.root, data.split or self.source.split)
            given.depth = None
        if data.depth_root is not None:
            given.depth = FolderDepth(data.depth_root)
        return given

    def run(self) -> StudyResult:
        """Sees every image once for each size and cuts it in every way.

        Raises:
            UsageError: There are no images, or one has no depth, or no row can do without.
            ReadError: An image, its depth or its ground truth cannot be read.
            WeightsError: The backbone cannot be set up.
        """
        start = time.perf_counter()
        rows = [row for row in self.rows if self.depth is not None or not row.uses_depth]
        if not rows:
            msg = "every cut needs depth: nothing gives it. Add --depth_root DIR."
            raise UsageError(msg)
        keys = keys_with_target(self.source)
        keys = keys if self.limit is None else evenly_spaced(keys, self.limit)
        depths = {key: None if self.depth is None else self._depth_file(key) for key in keys}
        cast(Backbone, self.backbone).setup()
        self.backbone.eval()
        measured = {row.name: _Measured() for row in rows}
        truth = TargetInstances(self.source)
        for key in with_progress(keys, self.title, len(keys)):
            objects = truth.instances(key)
            seen = _Seen(self.backbone, read_image(self.source.image_path(key)).float() / 255)
            depth = self._depth(depths[key], objects.size)
            for row in rows:
                features = seen.at(row.size_px or self.size_px)
                most = row.num_masks or self.num_masks
                measured[row.name].add(key, _cut(features, depth, row, most, objects.size), objects)
        runs = [
            {"name": row.name, **measured[row.name].figures(), **published_figures(row.published)}
            for row in rows
        ]
        table = StudyTable(
            f"{self.title}, {len(keys)} images",
            ("cut", *_FIGURES),
            beside_published(runs, _FIGURES),
        )
        left_out = [row.name for row in self.rows if row not in rows]
        notes = [_NOTE] + ([f"Left out without depth: {', '.join(left_out)}."] if left_out else [])
        seconds = time.perf_counter() - start
        return StudyResult([table, *_gains(rows, measured)], runs, notes, seconds=seconds)

    def _depth_file(self, key: str) -> str:
        depth = cast(FolderDepth, self.depth)
        path = depth.find(self.source.split, key)
        if path is None:
            msg = f"no depth of {key} in {depth.root}. Cutting in 3-D needs some."
            raise UsageError(msg)
        return path

    def _depth(self, file: str | None, size: tuple[int, int]) -> Tensor | None:
        """(H, W) at the size where labelling takes depth."""
        if self.depth is None or file is None:
            return None
        at_size = scaled_size(size, _DEPTH_SHORT_SIDE_PX)
        return resize_depth(self.depth.read(file)[None], at_size)[0, 0]


def _gains(rows: Sequence[CutRow], measured: Mapping[str, _Measured]) -> list[StudyTable]:
    names = [row.name for row in rows]
    others = [row.against if row.against in names else names[0] for row in rows[1:]]
    tables = [(name, measured[name].tables()) for name in names]
    return [gains_table(tables, [names.index(str(one)) for one in others])] if others else []


class _Seen:
    """Features of one image (3, H, W), computed once for each size."""

    def __init__(self, backbone: nn.Module, image: Tensor) -> None:
        self._backbone, self._image = backbone, image
        self._features = dict[tuple[int, int] | int, Tensor]()

    @torch.no_grad()
    def at(self, size_px: tuple[int, int] | int) -> Tensor:
        """Returns the features (C, h, w)."""
        if size_px not in self._features:
            backbone = cast(Backbone, self._backbone)
            image = network_image(self._image, size_px, backbone.patch_px)
            self._features[size_px] = backbone(image)[0]
        return self._features[size_px]


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
    features: Tensor, depth: Tensor | None, row: CutRow, num_masks: int, size: tuple[int, int]
) -> ImageInstances:
    """The objects of one image at the size of its ground truth."""
    looked_at = depth if row.uses_depth else None
    masks, sure = extract(features, looked_at, num_masks, row.settings)
    instance, confidence, _ = painted(masks, sure, size)
    panoptic = torch.stack((torch.where(instance > 0, 0, -1), instance), dim=-1)
    return panoptic_instances(panoptic, [0], confidence if row.by_confidence else None)
