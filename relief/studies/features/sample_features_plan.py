"""The plan of the study of features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from relief.metrics.protocols import panoptic_protocol
from relief.models.codebooks.thing_rule import ThingRule
from relief.ops.matching import assignment_rule
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import label_space
from relief.schema.parts import DepthReader, Splitter
from relief.schema.selection import evenly_spaced
from relief.sources.cityscapes import CityscapesSource
from relief.studies.features.codebook_runs import Measure


@dataclass(frozen=True)
class FeatureSource:
    """Features to compare.

    Args:
        name: What they are called in the table.
        backbone: An `nn.Module` that fits `Backbone`.
        ks: Numbers of clusters.
        splittings: Names of the splittings that are measured on them.
    """

    name: str
    backbone: nn.Module
    ks: list[int]
    splittings: list[str]


@dataclass(frozen=True)
class SampleFeatures:
    """The pipeline of the sample on several features, numbers of clusters and splitters.

    Args:
        features: The features; each is measured over its own ks and splittings.
        splittings: Splitters by name.
        depth: Reads depth files; `None`: labels are made without depth.
        rule: Decides things and groups.
        geometry: The size backbones see, and its windows.
        seeds: Of k-means.
        root: Cityscapes folder with ground truth in the split.
        split: Split that is labelled and measured.
        fit_split: Split that codebooks are fitted on.
        split_short_side_px: The size at which splitting runs.
        label_space: The classes.
        protocol: Name of the PQ protocol.
        assignment: How clusters meet classes.
        max_samples: Features a codebook is fitted on, at most.
        sampling_seed: Of drawing them.
        limit: Images of each split, evenly spaced by key; `None`: all.
        processes: Each takes one kind of features at a time.
        device: Where backbones run; a GPU where there is one.
    """

    features: list[FeatureSource]
    splittings: dict[str, Splitter]
    depth: DepthReader | None
    rule: ThingRule
    geometry: WindowGeometry
    seeds: list[int]
    root: str
    split: str = "val"
    fit_split: str = "train"
    split_short_side_px: int = 512
    label_space: str = "cityscapes19"
    protocol: str = "panopticapi"
    assignment: str = "majority"
    max_samples: int = 2_000_000
    sampling_seed: int = 0
    limit: int | None = None
    processes: int = 2
    device: str | None = None

    @property
    def measure(self) -> Measure:
        """How labels are compared with ground truth."""
        return Measure(
            label_space(self.label_space),
            panoptic_protocol(self.protocol),
            assignment_rule(self.assignment),
        )

    def source(self, split: str) -> CityscapesSource:
        """The images of a split that are looked at; raises `UsageError` where there are none."""
        source = CityscapesSource(self.root, split, label_space(self.label_space).name)
        if self.limit is not None:
            source.keys = evenly_spaced(source.keys, self.limit)
        return source

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are read, each once."""
        return tuple(dict.fromkeys((self.fit_split, self.split)))
