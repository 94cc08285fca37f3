"""The plan of a sweep: label stores, depth, and the settings to try on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.errors import UsageError
from relief.schema.observation import DEPTH, IMAGE, SEMANTIC
from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.studies.measured_on import MeasuredOn
from relief.studies.sweeps.settings import AREA_FILTER, BASELINE_AREA_PX, Cut, Setting


@dataclass(frozen=True)
class SweepRow:
    """One edge threshold under several area filters.

    Args:
        min_areas_px: Area filters, in pixels where splitting runs.
        gradient_threshold: Depth edges are above this; connected components without.
        sigma: Smoothing of the depth before its gradient, in pixels.
        dilation_px: How far components take pixels back.
        sharpening: Of the depth before its gradient; `None` takes it as it is.
    """

    min_areas_px: list[int]
    gradient_threshold: float | None = None
    sigma: float = 1.0
    dilation_px: int = 3
    sharpening: ToggleSharpening | None = None

    @property
    def splitters(self) -> list[Splitter]:
        """One splitter for each area filter."""
        if self.gradient_threshold is None:
            return [ConnectedSplitter(area) for area in self.min_areas_px]
        return [
            DepthGradientSplitter(
                self.gradient_threshold, area, self.sigma, self.dilation_px, self.sharpening
            )
            for area in self.min_areas_px
        ]


@dataclass(frozen=True)
class SweepSource:
    """Labels, and the settings to try on them.

    Args:
        name: What they are called in tables, such as `k=80`.
        labels: Their folder; `{root}` stands for the Cityscapes folder.
        rows: Settings of depth edges and connected components.
        format: store, coco_panoptic, cups or monocular_ups.
        split_by: What is one region before it is parted: the store's groups of clusters, or in
            their place `one` of all things, `similar` clusters, `none` but a cluster itself; or
            `classes` by a majority vote of ground truth taken first, as published.
        label_args: Arguments of label.py that make the labels when there are none; `{root}` as in
            `labels`.
        splitters: Any other splitters, by class path.
    """

    name: str
    labels: str
    rows: list[SweepRow] = field(default_factory=list)
    format: str = "store"
    split_by: Literal["groups", "one", "similar", "none", "classes"] = "groups"
    label_args: list[str] = field(default_factory=list)
    splitters: list[Splitter] = field(default_factory=list)

    @property
    def groups(self) -> list[list[Splitter]]:
        """All its splitters; those of one row stand together."""
        return [row.splitters for row in self.rows] + [[splitter] for splitter in self.splitters]


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
class SweepRequest(MeasuredOn):
    """Scores many splitter settings at once, from labels before splitting and depth.

    Args:
        sources: Labels and their settings.
        depths: Depth sources; every splitter that needs depth is tried on each.
        root: Cityscapes folder with gtFine.
        split: Split that is scored.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
        protocols: Names of PQ protocols; the first is the headline.
        assignments: How clusters meet classes; not asked for where regions are classes already.
        split_short_side_px: The size at which splitting runs.
        separate_area_filter: Also try connected components at every area filter of the grid.
        processes: Processes over images; as many as there are cores by default.
        name: What it is called.
        out: Folder for sweep.csv and report.html; outputs/evaluate/NAME by default.

    Raises:
        UsageError: A splitter needs what a sweep does not have, such as features.
    """

    sources: list[SweepSource]
    depths: list[SweepDepth]
    protocols: list[str] = field(default_factory=lambda: ["panopticapi"])
    assignments: list[str] = field(default_factory=lambda: ["majority"])
    split_short_side_px: int = 512
    separate_area_filter: bool = True
    processes: int | None = None
    name: str = "sweep"
    out: str | None = None

    def __post_init__(self) -> None:
        offered = {IMAGE, SEMANTIC, *([DEPTH] if self.depths else [])}
        for splitter in (
            one for source in self.sources for group in source.groups for one in group
        ):
            if missing := ", ".join(sorted(splitter.needs - offered)):
                name, there = type(splitter).__name__, ", ".join(sorted(offered))
                msg = (
                    f"{name} needs {missing}; this sweep has {there}. Name depths or leave it out."
                )
                raise UsageError(msg)

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


def settings(source: SweepSource, request: SweepRequest) -> list[Setting]:
    """Lists the settings of a source, in the order of its rows and splitters."""
    found: dict[tuple[Cut, int], Setting] = {}
    for setting in _settings(source, request):
        found.setdefault((setting.cut, setting.min_area_px), setting)
    return list(found.values())


def _settings(source: SweepSource, request: SweepRequest) -> Iterator[Setting]:
    groups = source.groups
    for group in groups:
        for depth in _depths(group[0], request) if group else ():
            yield from (Setting(splitter, depth) for splitter in group)
    if request.separate_area_filter:
        areas = {getattr(splitter, "min_area_px", None) for group in groups for splitter in group}
        known = sorted(area for area in areas if isinstance(area, int))
        for area in known or [BASELINE_AREA_PX]:
            yield Setting(ConnectedSplitter(area), purpose=AREA_FILTER)


def _depths(splitter: Splitter, request: SweepRequest) -> list[str]:
    return [depth.name for depth in request.depths] if DEPTH in splitter.needs else [""]
