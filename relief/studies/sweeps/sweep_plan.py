"""What a sweep is made of: label stores, depth, and the settings to try on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from relief.studies.scoring.score_runs import SAMPLE_ROOT, SpaceName
from relief.studies.sweeps.split_tables import CONNECTED, Cut

GRID, AREA_FILTER = "grid", "area_filter"


@dataclass(frozen=True)
class SweepRow:
    """One edge threshold under several area filters.

    Args:
        min_areas_px: Area filters, in pixels where splitting runs.
        gradient_threshold: Depth edges are above this; connected components without.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far components take pixels back.
    """

    min_areas_px: list[int]
    gradient_threshold: float | None = None
    sigma: float = 1.0
    dilation_px: int = 3

    @property
    def cut(self) -> Cut:
        """Where it parts things."""
        if self.gradient_threshold is None:
            return CONNECTED
        return Cut(self.gradient_threshold, self.sigma, self.dilation_px)


@dataclass(frozen=True)
class SweepSource:
    """Labels, and the settings to try on them.

    Args:
        name: What they are called in tables, such as `k=80`.
        labels: Their folder; `{root}` stands for the Cityscapes folder.
        rows: The settings.
        format: store, coco_panoptic, cups or monocular_ups.
        split_by: Thing regions are parted within the store's groups of clusters, or within
            classes by a majority vote of ground truth taken first, as published.
        label_args: Arguments of label.py that make the labels when there are none; `{root}` as in
            `labels`.
    """

    name: str
    labels: str
    rows: list[SweepRow]
    format: str = "store"
    split_by: Literal["groups", "classes"] = "groups"
    label_args: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SweepDepth:
    """A tree of depth files, ROOT/SPLIT/KEY.npy.

    Args:
        name: What it is called in tables.
        root: The folder; `{root}` stands for the Cityscapes folder.
        normalise: `min_max` stretches each map to [0, 1].
        inverse: Large means near.
    """

    name: str
    root: str
    normalise: Literal["min_max"] | None = None
    inverse: bool = False


@dataclass(frozen=True)
class SweepRequest:
    """Scores many splitter settings at once, from labels before splitting and depth.

    Args:
        sources: Labels and their settings.
        depths: Depth sources; every setting with edges is tried on each.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        label_space: 19 or 27 classes.
        protocols: Names of PQ protocols; the first is the headline.
        assignments: How clusters meet classes; not asked for where regions are classes already.
        split_short_side_px: The size at which splitting runs.
        separate_area_filter: Also try connected components at every area filter of the grid.
        processes: Processes over images; as many as there are cores by default.
        name: What it is called.
        out: Folder for sweep.csv and report.html; outputs/evaluate/NAME by default.
    """

    sources: list[SweepSource]
    depths: list[SweepDepth]
    root: str = SAMPLE_ROOT
    split: str = "val"
    label_space: SpaceName = "cityscapes19"
    protocols: list[str] = field(default_factory=lambda: ["panopticapi"])
    assignments: list[str] = field(default_factory=lambda: ["majority"])
    split_short_side_px: int = 512
    separate_area_filter: bool = True
    processes: int | None = None
    name: str = "sweep"
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path(self.out or f"outputs/evaluate/{self.name}")

    def path(self, folder: str) -> Path:
        """A folder in which `{root}` stands for the Cityscapes folder."""
        return Path(self._with_root(folder))

    def label_command(self, source: SweepSource) -> list[str]:
        """Arguments of label.py that make the labels of a source."""
        return [self._with_root(argument) for argument in source.label_args]

    def _with_root(self, text: str) -> str:
        return text.replace("{root}", self.root)


@dataclass(frozen=True)
class Setting:
    """One row of `sweep.csv`, before it has figures.

    Attributes:
        depth: Name of the depth source; empty for connected components.
        cut: Where things are parted.
        min_area_px: The area filter.
        purpose: `grid`, or `area_filter` for components that only separate its gain.
    """

    depth: str
    cut: Cut
    min_area_px: int
    purpose: str = GRID


def settings(source: SweepSource, request: SweepRequest) -> list[Setting]:
    """All settings of a source, in the order of its rows."""
    found: dict[tuple[str, Cut, int], Setting] = {}
    for setting in _settings(source, request):
        found.setdefault((setting.depth, setting.cut, setting.min_area_px), setting)
    return list(found.values())


def _settings(source: SweepSource, request: SweepRequest) -> Iterator[Setting]:
    for row in source.rows:
        if row.cut == CONNECTED:
            yield from (Setting("", CONNECTED, area) for area in row.min_areas_px)
            continue
        for depth in request.depths:
            yield from (Setting(depth.name, row.cut, area) for area in row.min_areas_px)
    if request.separate_area_filter:
        areas = {area for row in source.rows for area in row.min_areas_px}
        yield from (Setting("", CONNECTED, area, AREA_FILTER) for area in sorted(areas))
