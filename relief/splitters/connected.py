"""Instances as connected components."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from relief.ops.splitting.reclaim import Partition, partition
from relief.splitters.area_filtered import AreaFilteredSplitter, Edges


class ConnectedSplitter(AreaFilteredSplitter):
    """Every 4-connected region of a thing category is an instance, if it is large enough.

    Args:
        min_area_px: Regions below this many pixels are no instances; pixels where splitting runs.

    Example:
        >>> import torch
        >>> from relief.schema.observation import Observation
        >>> things = torch.tensor([False, True])
        >>> observation = Observation(semantic=torch.tensor([[[1, 1, 0, 1]]]), things=things)
        >>> ConnectedSplitter(min_area_px=1).split(observation).instance.tolist()
        [[[1, 1, 0, 2]]]
    """

    def __init__(self, min_area_px: int) -> None:
        self.min_area_px = min_area_px

    def partition(
        self,
        regions: NDArray[Any],
        edges: Edges,  # noqa: ARG002
        least_area_px: int = 1,
    ) -> Partition:
        """Parts one image into connected components."""
        return partition(regions, least_area_px=least_area_px)
