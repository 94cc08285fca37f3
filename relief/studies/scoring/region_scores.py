"""A label store as semantic maps: things are the connected regions of a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from relief.formats.reader import LabelReader, refuse_other_shape
from relief.metrics.protocols import panoptic_protocol
from relief.metrics.scoring import JointRows, Scorer
from relief.ops.matching import assignment_rule
from relief.ops.panoptic import segment_table
from relief.ops.resize import resize_nearest
from relief.processes.progress import with_progress
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import CITYSCAPES_19, VOID, thing_mask
from relief.schema.observation import Observation
from relief.schema.sources import ImageSource
from relief.splitters.connected import ConnectedSplitter
from relief.studies.scoring.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scoring.scored_images import read_scored_images


@dataclass(frozen=True)
class RegionScores:
    """The scores of one store.

    Attributes:
        figures: In percent, by their names in `metrics.json`.
        keys: The images they are of.
        failures: Why others could not be read.
    """

    figures: dict[str, float]
    keys: list[str]
    failures: list[str]


@dataclass(frozen=True)
class RegionScorer:
    """Scores label stores in the classes of the ground truth.

    Args:
        truth: Ground truth of a split.
        protocol: Name of the PQ protocol.
        min_area_px: Smaller regions of a thing class are no objects.
        short_side_px: The size at which regions are made and compared; 0 as the ground truth is.
    """

    truth: ImageSource
    protocol: Literal["seed", "panopticapi", "cups"] = "seed"
    min_area_px: int = 10
    short_side_px: int = 0

    def scores(self, store: Path, assignment: str, name: str = "") -> RegionScores:
        """Scores one store.

        Args:
            store: Its folder.
            assignment: How clusters meet classes; not asked for where ids are classes already.
            name: For the progress bar.

        Raises:
            UsageError: It cannot be opened, or has no image with ground truth.
            ReadError: None of its images can be read.
        """
        space = self.truth.label_space
        labels = open_labels(store, STORE, self.truth.split, space)
        images = read_scored_images(labels, self.truth)
        failures = [failure["reason"] for failure in images.failures]
        rule = "identity" if are_class_ids(labels, STORE, space) else assignment
        clusters = Scorer.of(space, labels.num_categories)
        fitted = clusters.fit(assignment_rule(rule), images.semantic)
        class_of_cluster = torch.from_numpy(fitted.semantic)
        rows = JointRows.of(
            [
                segment_table(*self.maps(labels, key, class_of_cluster)).numpy()
                for key in with_progress(images.keys, name, len(images.keys))
            ]
        )
        classes = Scorer.of_classes(clusters.classes)
        confusion = clusters.confusion(images.semantic, fitted)
        protocol = panoptic_protocol(self.protocol)
        figures = classes.figures(rows, confusion, classes.identity(), protocol)
        return RegionScores(figures.row.percent(), images.keys, failures)

    def maps(
        self, labels: LabelReader, key: str, class_of_cluster: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predicted and true (H, W, 2) maps of one image, int64.

        Args:
            labels: The labels.
            key: Of the image.
            class_of_cluster: (K,) int64 class ids, -1 = void.

        Raises:
            ReadError: One of the two cannot be read.
        """
        target = self.truth.target(key)
        size = (target.shape[0], target.shape[1])
        if self.short_side_px:
            size = scaled_size(size, self.short_side_px)
            target = resize_nearest(target.movedim(-1, 0), size).movedim(0, -1)
        semantic = labels.semantic(key)
        refuse_other_shape(key, size, semantic.shape, "ground truth")
        cluster = resize_nearest(semantic, size)
        classes = torch.where(cluster >= 0, class_of_cluster[cluster.clamp(min=0)], VOID)
        is_thing = thing_mask(CITYSCAPES_19.things, CITYSCAPES_19.num_classes)
        observation = Observation(semantic=classes[None], things=is_thing)
        split = ConnectedSplitter(self.min_area_px).split(observation)
        return torch.stack((classes, split.instance[0]), dim=-1), target
