"""From the semantic map of an image to its panoptic map, by groups and at two sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.codebook import Codebook
from relief.ops.panoptic_map import compose_panoptic
from relief.ops.resize import resize_nearest
from relief.schema.parts import Splitter


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
    small = resize_nearest(semantic[None], split_size)
    instance = split_by_groups(small, depth, codebook.category_groups, splitter)
    panoptic = compose_panoptic(small[0], instance[0], codebook.num_categories)
    own_size = (semantic.shape[0], semantic.shape[1])
    return resize_nearest(panoptic.permute(2, 0, 1), own_size).permute(1, 2, 0)


def split_by_groups(
    semantic: Tensor, depth: Tensor | None, groups: Tensor, splitter: Splitter
) -> Tensor:
    """Instances (B, H, W) of maps (B, H, W): categories of one group are split as one.

    Args:
        semantic: int64 categories, -1 = ignore.
        depth: (B, 1, H, W) float32 in [0, 1], or `None`.
        groups: (K,) int64 group of each category, -1 = stuff.
        splitter: Knows nothing of groups: it sees regions.
    """
    region = torch.where(semantic >= 0, groups[semantic.clamp(min=0)], semantic)
    is_thing = torch.ones(int(groups.max()) + 1, dtype=torch.bool, device=semantic.device)
    return splitter(region, depth, is_thing)
