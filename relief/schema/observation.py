"""All that is known of a batch of images, and what a splitter answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

DEPTH, FEATURES, IMAGE, SEMANTIC, STUFF = "depth", "features", "image", "semantic", "stuff"
PICTURED = (FEATURES,)  # what pictures of the steps show beside the maps that are always there


@dataclass(frozen=True)
class Observation:
    """All that is known of a batch of images; made in one place, looked at by many.

    Attributes:
        semantic: (B, h, w) int64 ids below K at the size where splitting runs, -1 = ignore.
        things: (K,) bool, true for the ids in `semantic` that are things.
        image: (B, 3, H, W) float32 in [0, 1], RGB; `None` where nobody needs it.
        depth: (B, 1, h, w) float32 or float64 in [0, 1], 0 near, at the size of `semantic`; `None`
            where there is none.
        features: (B, C, hf, wf) float32 on the grid of the backbone's patches, or `None`.
        stuff: (B, h, w) int64 the most alike of the ids that are no things, at the size of
            `semantic`, -1 = none; `None` where nobody needs it.

    Raises:
        ValueError: The maps do not fit each other.

    Example:
        >>> ids = torch.tensor([[[0, 1], [1, -1]]])
        >>> observation = Observation(semantic=ids, things=torch.tensor([False, True]))
        >>> observation.missing({"depth", "semantic"})
        ['depth']
    """

    semantic: Tensor
    things: Tensor
    image: Tensor | None = None
    depth: Tensor | None = None
    features: Tensor | None = None
    stuff: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.semantic.shape)
        if len(shape) != 3:
            msg = f"Expected `semantic` to be (B, h, w), got {shape}."
            raise ValueError(msg)
        of_depth = (shape[0], 1, *shape[1:])
        if self.depth is not None and tuple(self.depth.shape) != of_depth:
            msg = f"Expected `depth` to be {of_depth}, got {tuple(self.depth.shape)}."
            raise ValueError(msg)
        if self.stuff is not None and tuple(self.stuff.shape) != shape:
            msg = f"Expected `stuff` to be {shape}, got {tuple(self.stuff.shape)}."
            raise ValueError(msg)
        for name in (IMAGE, FEATURES):
            value: Tensor | None = getattr(self, name)
            if value is not None and (value.ndim != 4 or len(value) != shape[0]):
                msg = f"Expected `{name}` to be ({shape[0]}, C, H, W), got {tuple(value.shape)}."
                raise ValueError(msg)

    def missing(self, needs: Iterable[str]) -> list[str]:
        """Lists which of the words in `needs` nothing is known of, sorted."""
        return sorted(name for name in needs if getattr(self, name) is None)

    def require(self, needs: Iterable[str], who: str) -> None:
        """Refuses to go on without what a part needs.

        Args:
            needs: Names of fields.
            who: The part, for the message.

        Raises:
            ValueError: Something is missing.
        """
        missing = self.missing(needs)
        if missing:
            msg = f"{who} needs {', '.join(missing)}; the observation has none."
            raise ValueError(msg)

    def regions(self, group_of_id: Tensor) -> Observation:
        """Replaces ids by the groups that are split as one region; every group is a thing.

        Args:
            group_of_id: (K,) int64 group of each id, -1 = in no region.
        """
        group_of_id = group_of_id.to(self.semantic.device)
        groups = group_of_id[self.semantic.clamp(min=0)]
        num_groups = int(group_of_id.max()) + 1 if len(group_of_id) else 0
        return dataclasses.replace(
            self,
            semantic=torch.where(self.semantic >= 0, groups, self.semantic),
            things=torch.ones(num_groups, dtype=torch.bool, device=self.semantic.device),
        )


@dataclass(frozen=True)
class Split:
    """The objects that a splitter found in an `Observation`.

    Attributes:
        instance: (B, h, w) int64: 0 = none, 1..N within each image.
        confidence: (B, h, w) float32 in [0, 1], how sure the splitter is of what it says at each
            pixel; `None` where it does not say.
    """

    instance: Tensor
    confidence: Tensor | None = None


@dataclass(frozen=True)
class LabelRecord:
    """The labels of one image, at the image's own size.

    Attributes:
        semantic: (H, W) int64 ids before splitting, -1 = ignore.
        panoptic: (H, W, 2) int64 (category, instance); category -1 = void, thing pixels without
            an instance keep (category, 0).
        confidence: (H, W) float32 in [0, 1], or `None` where nobody said.
        scores: Score in [0, 1] of each object by its instance id, or `None` where nobody said.
        observation: What the labels were made from, of one image; `None` for a labeller that
            makes none.
    """

    semantic: Tensor
    panoptic: Tensor
    confidence: Tensor | None = None
    scores: dict[int, float] | None = None
    observation: Observation | None = None
