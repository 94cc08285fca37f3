"""Sure of objects that stand in front of what is seen above them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from relief.models.confidence.evidence import Confidence, Evidence
from relief.ops.splitting.upper_edge import share_in_front
from relief.schema.observation import DEPTH
from relief.schema.ranges import check_at_least


class UpperEdge(Confidence):
    """The share of each object's upper edge that is nearer than what lies above it.

    Pieces of walls and of the ground go on there, or lie behind. Stuff is 1: there is nothing to
    ask of it. `relief.splitters.standing.StandingObjects` gives objects back by the same number.

    Args:
        least_step: A step of depth counts above this.
        inside_px: How far below the edge an object's depth is looked up, where splitting runs.
        outside_px: How far above the edge the other depth is looked up.

    Raises:
        UsageError: A number is out of its range.
    """

    needs = frozenset({DEPTH})

    def __init__(self, least_step: float = 0.01, inside_px: int = 2, outside_px: int = 5) -> None:
        check_at_least(0, least_step=least_step, inside_px=inside_px)
        check_at_least(1, outside_px=outside_px)
        self.numbers = least_step, inside_px, outside_px

    def of(self, evidence: Evidence) -> Tensor:
        """Measures objects on the CPU.

        Raises:
            ValueError: There is no depth.
        """
        evidence.observation.require(self.needs, type(self).__name__)
        depth = cast(Tensor, evidence.observation.depth)[0, 0].cpu().numpy()
        share = share_in_front(evidence.instance.cpu().numpy(), depth, *self.numbers)
        return evidence.painted(torch.from_numpy(share))
