"""Codebook, labels and figures of one k and seed, from images that were already seen.

The steps are those of a labelling run, through the same functions, without its files: the figures
are equal to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.metrics.panoptic_statistics import Ids, Reals
from relief.metrics.protocols import PanopticProtocol
from relief.metrics.scoring import PERCENT, JointRows, Scorer
from relief.metrics.semantic_iou import CategoryCounts
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import ThingRule
from relief.models.labelling.cluster_segmentation import label_pixels
from relief.models.labelling.panoptic_labels import panoptic_labels
from relief.ops.matching import AssignmentRule
from relief.ops.panoptic import compact_pairs, joint_counts, segment_table_of_ids
from relief.ops.resize import resize_nearest
from relief.ops.thingness import cluster_statistics
from relief.schema.errors import ReadError
from relief.schema.label_spaces import VOID, LabelSpace
from relief.schema.parts import DepthReader, KMeansFitter, Splitter
from relief.studies.features.feature_windows import SeenImage, TrueImage


@dataclass(frozen=True)
class Measure:
    """How labels are compared with ground truth."""

    space: LabelSpace
    protocol: PanopticProtocol
    rule: AssignmentRule


def fit_codebook(
    kmeans: KMeansFitter,
    samples: Tensor,
    observed: Sequence[SeenImage],
    depth: DepthReader | None,
    rule: ThingRule,
) -> Codebook:
    """Centroids from samples; things and groups from images, without ground truth.

    Args:
        kmeans: The clustering.
        samples: (N, C) L2-normalised features, by key.
        observed: Images in which the regions of clusters are counted, by key.
        depth: Reads their depth; `None` without.
        rule: Decides.
    """
    codebook = Codebook(kmeans.k)
    codebook.set_centroids(kmeans.fit(samples))
    k = len(codebook.centroids)
    counts = []
    for image in observed:
        semantic = label_pixels(image.windows, codebook, image.size)
        small = resize_nearest(semantic[None], image.split_size)[0]
        at_size = image.depth(depth)
        counts.append(cluster_statistics(small, None if at_size is None else at_size[0], k))
    things, groups, record = rule.decide(counts, codebook.centroids)
    codebook.fill(codebook.centroids, things, groups, metadata={"things": record})
    return codebook


def measure_labels(
    codebook: Codebook,
    images: Sequence[SeenImage],
    truth: Sequence[TrueImage],
    depth: DepthReader | None,
    splitters: Mapping[str, Splitter],
    measure: Measure,
) -> dict[str, dict[str, Any]]:
    """Labels images under every splitter and scores the labels.

    Args:
        codebook: Filled.
        images: What is labelled.
        truth: Ground truth of each.
        depth: Reads their depth; `None` without.
        splitters: By name.
        measure: How to compare.

    Returns:
        Figures by name of the splitter, in percent, named as in `metrics.json`; how many `classes`
        have an IoU above 0; for each class that occurs its IoU, and the class `has NAME` that most
        of its pixels are labelled as.

    Raises:
        ReadError: An image and its ground truth differ in size, or its depth cannot be read.
    """
    k = codebook.num_categories
    things = np.flatnonzero(codebook.thing_ids.numpy()).tolist()
    scorer = Scorer.of(measure.space, k, things)
    semantic_rows: list[Ids] = []
    rows: dict[str, list[Ids]] = {name: [] for name in splitters}
    for image, true in zip(images, truth, strict=True):
        if tuple(true.ids.shape) != image.size:
            msg = f"image and ground truth differ in size: {image.key}. Replace one of them."
            raise ReadError(msg)
        semantic = label_pixels(image.windows, codebook, image.size)
        at_size = image.depth(depth)
        semantic_rows.append(_semantic_rows(semantic, true, k))
        for name, splitter in splitters.items():
            panoptic = panoptic_labels(semantic, at_size, codebook, splitter, image.split_size)
            panoptic = _as_stored(panoptic, semantic, codebook.thing_ids)
            ids, pairs = compact_pairs(panoptic)
            table = segment_table_of_ids(ids, true.ids, pairs, true.pairs)
            rows[name].append(table.numpy())
    before = scorer.counts(np.concatenate(semantic_rows))
    return {
        name: _figures(JointRows.of(tables), before, scorer, measure)
        for name, tables in rows.items()
    }


def _figures(
    rows: JointRows, before: CategoryCounts, scorer: Scorer, measure: Measure
) -> dict[str, Any]:
    assignment = scorer.fit(measure.rule, scorer.counts(rows.table))
    confusion = scorer.confusion(before, assignment)
    figures = scorer.figures(rows, confusion, assignment, measure.protocol)
    found = {"thing_clusters": len(scorer.things), "classes": int((figures.iou > 0).sum())}
    return {**figures.row.percent(), **found, **_by_class(figures.iou, confusion, measure.space)}


def _by_class(iou: Reals, confusion: Ids, space: LabelSpace) -> dict[str, Any]:
    """IoU in percent of each class that occurs, and which class has most of its pixels."""
    occurs = confusion.sum(axis=1) > 0
    names = (*space.names, "void")
    return {
        **{f"iou {n}": PERCENT * iou[i] for i, n in enumerate(space.names) if occurs[i]},
        **{f"has {n}": names[confusion[i].argmax()] for i, n in enumerate(names[:-1]) if occurs[i]},
    }


def _semantic_rows(semantic: Tensor, true: TrueImage, k: int) -> Ids:
    """Joint rows of a semantic map (H, W): (cluster, 0, class, instance, pixels)."""
    counts = joint_counts(semantic, true.ids, k, len(true.pairs))
    cluster, pair = counts.nonzero(as_tuple=True)
    columns = (cluster, torch.zeros_like(cluster), *true.pairs[pair].T, counts[cluster, pair])
    return torch.stack(columns, dim=1).numpy()


def _as_stored(panoptic: Tensor, semantic: Tensor, is_thing: Tensor) -> Tensor:
    """The map as a label store gives it back: things without an instance as before splitting."""
    category, instance = panoptic.unbind(-1)
    without = is_thing[category] & (instance == 0)
    restored = torch.where(is_thing[semantic], semantic, VOID)
    return torch.stack((torch.where(without, restored, category), instance), dim=-1)
