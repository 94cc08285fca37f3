"""Instances of another splitter, without those that stand in front of nothing."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from relief.ops.splitting.upper_edge import share_in_front
from relief.schema.errors import UsageError
from relief.schema.observation import DEPTH, Observation, Split
from relief.schema.parts import Splitter
from relief.schema.ranges import check_at_least


class StandingObjects(Splitter):
    """Gives objects back whose upper edge is no step in depth: pieces of walls and of the ground.

    Their pixels belong to no object then: the rule for leftovers decides about them, each by its
    own cluster.

    Args:
        splitter: Finds the objects.
        least_share: Objects with a smaller share of their upper edge in front of something are
            given back; see `relief.ops.splitting.upper_edge.share_in_front`.
        least_step: A step of depth counts above this.
        inside_px: How far below the edge an object's depth is looked up, where splitting runs.
        outside_px: How far above the edge the other depth is looked up.

    Raises:
        UsageError: A number is out of its range.

    Example:
        >>> from relief.splitters.connected import ConnectedSplitter
        >>> depth = torch.full((1, 1, 16, 32), 0.8)
        >>> depth[:, :, 8:, :8] = 0.2  # the left region stands in front of something
        >>> semantic = torch.full((1, 16, 32), -1)
        >>> semantic[:, 8:, :8] = semantic[:, 8:, 20:] = 0
        >>> observation = Observation(semantic=semantic, things=torch.tensor([True]), depth=depth)
        >>> split = StandingObjects(ConnectedSplitter(min_area_px=1)).split(observation)
        >>> split.instance[0, 12, [4, 24]].tolist()
        [1, 0]
    """

    def __init__(
        self,
        splitter: Splitter,
        least_share: float = 0.1,
        least_step: float = 0.01,
        inside_px: int = 2,
        outside_px: int = 5,
    ) -> None:
        check_at_least(0, least_share=least_share, least_step=least_step, inside_px=inside_px)
        check_at_least(1, outside_px=outside_px)
        if least_share > 1:
            msg = f"no object is in front by more than all: least_share {least_share}. Give 0 to 1."
            raise UsageError(msg)
        self.splitter = splitter
        self.least_share, self.least_step = least_share, least_step
        self.inside_px, self.outside_px = inside_px, outside_px
        self.needs = splitter.needs | {DEPTH}
        self.gives_confidence = splitter.gives_confidence

    @property
    def confidence_name(self) -> str | None:
        """The class path of the splitter that says how sure it is, if it does."""
        return self.splitter.confidence_name

    def split(self, observation: Observation) -> Split:
        """Splits, then leaves objects out; the others keep their order and are numbered anew.

        Raises:
            ValueError: There is no depth, or something that the other splitter needs is missing.
        """
        observation.require(self.needs, type(self).__name__)
        split = self.splitter.split(observation)
        depths = cast(Tensor, observation.depth)[:, 0].cpu().numpy()
        kept = torch.zeros_like(split.instance)
        for image, depth in enumerate(depths):
            instance = split.instance[image].cpu().numpy()
            share = share_in_front(
                instance, depth, self.least_step, self.inside_px, self.outside_px
            )
            stands = share >= self.least_share
            stands[0] = False
            number = np.where(stands, stands.cumsum(), 0)[instance]
            kept[image] = torch.from_numpy(number).to(kept)
        if split.confidence is None:
            return Split(kept)
        given_back = (split.instance > 0) & (kept == 0)
        return Split(kept, split.confidence.masked_fill(given_back, 0.0))
