"""From the semantic map of an image to its panoptic map, by groups and at two sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.leftovers import LeaveVoid, Leftovers
from relief.ops.objects.panoptic_map import compose_panoptic
from relief.ops.resize import resize_nearest
from relief.schema.observation import LabelRecord, Observation, Split
from relief.schema.parts import Splitter

Sureness = Callable[[Observation, Tensor, Split], Tensor]


def panoptic_labels(
    semantic: Tensor,
    depth: Tensor | None,
    codebook: Codebook,
    splitter: Splitter,
    split_size: tuple[int, int],
) -> Tensor:
    """Parts the things of one image.

    Args:
        semantic: (H, W) int64 clusters, or classes where the codebook knows them.
        depth: (1, 1, *split_size) float32 in [0, 1], or `None`.
        codebook: Filled.
        splitter: Thing regions to instances.
        split_size: The (height, width) at which splitting runs.

    Returns:
        (H, W, 2) int64, at the size of `semantic`.
    """
    observation = Observation(
        semantic=resize_nearest(semantic[None], split_size),
        things=codebook.thing_categories,
        depth=depth,
    )
    groups = codebook.category_groups
    return label_record(semantic, observation, groups, splitter, LeaveVoid()).panoptic


def label_record(
    semantic: Tensor,
    observation: Observation,
    groups: Tensor,
    splitter: Splitter,
    leftovers: Leftovers,
    sure: Sureness | None = None,
) -> LabelRecord:
    """Parts the things of one image; categories of one group are split as one region.

    Args:
        semantic: (H, W) int64 clusters, or classes where the codebook knows them.
        observation: Of the same image, at the size where splitting runs.
        groups: (K,) int64 what is split together, -1 for stuff.
        splitter: Knows nothing of groups: it sees regions.
        leftovers: What becomes of thing pixels that no object takes.
        sure: Says how sure the labels are; the splitter, if it does, unless given.

    Returns:
        The maps at the size of `semantic`.
    """
    split = splitter.split(observation.regions(groups))
    settled, instance = leftovers.fill(observation, split.instance)
    panoptic = compose_panoptic(settled[0], instance[0], len(groups))
    confidence = split.confidence
    if sure is not None:
        labelled = dataclasses.replace(observation, semantic=settled)
        confidence = sure(labelled, instance[0], split)[None]
    own_size = (semantic.shape[0], semantic.shape[1])
    return LabelRecord(
        semantic=semantic,
        panoptic=resize_nearest(panoptic.permute(2, 0, 1), own_size).permute(1, 2, 0),
        confidence=None if confidence is None else resize_nearest(confidence, own_size)[0],
        observation=observation,
    )
