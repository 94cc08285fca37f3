"""All that is known of the labels of one image, and the seam of parts that say how sure it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.readouts import of_categories
from relief.schema.observation import FEATURES, Observation, Split

_LEVELS = 2**20


@dataclass(frozen=True)
class Evidence:
    """The labels of one image at the size where splitting runs, and what they were made from.

    Attributes:
        observation: Of a batch of one; `semantic` is what the labels say, in categories.
        instance: (h, w) int64 objects of the labels, 0 = none, 1..N.
        split: What the splitter said, before leftovers were given away.
        codebook: Gave the categories; empty where a network did, and then there are no features.
        cut: Cuts the things of another observation of the image into objects, (1, h, w) int64.
        mirrored: Looks at the mirror image; its maps are mirrored too.
        key: Of the image, for parts that read what lies beside it.
    """

    observation: Observation
    instance: Tensor
    split: Split
    codebook: Codebook
    cut: Callable[[Observation], Tensor]
    mirrored: Callable[[], Observation]
    key: str = ""

    @property
    def semantic(self) -> Tensor:
        """(h, w) int64 categories, -1 = ignore."""
        return self.observation.semantic[0]

    @property
    def is_thing(self) -> Tensor:
        """(h, w) bool, true in things, with an object or without."""
        semantic = self.semantic
        return self.observation.things.to(semantic.device)[semantic.clamp(min=0)] & (semantic >= 0)

    def similarities(self) -> Tensor:
        """(K, hf, wf) float32 cosine to each category, on the grid of the features.

        Raises:
            ValueError: There are no features.
        """
        self.observation.require({FEATURES}, "similarities")
        features = self.observation.features
        assert features is not None  # required
        return of_categories(features[0], self.codebook)

    def enlarged(self, values: Tensor) -> Tensor:
        """Brings a map (hf, wf) in [0, 1] of the features' grid to (h, w), bilinearly."""
        size = (self.semantic.shape[0], self.semantic.shape[1])
        large = F.interpolate(values[None, None].float(), size, mode="bilinear")
        return large[0, 0].clamp(0, 1)

    def over_objects(self, values: Tensor) -> Tensor:
        """Gives every pixel of an object the mean over the object; others keep their own.

        Args:
            values: (h, w) float32 in [0, 1].
        """
        number = self.instance.flatten()
        size = int(number.max()) + 1 if len(number) else 1
        levels = (values.flatten().double() * _LEVELS).round().long()  # sums of any order are alike
        total = levels.new_zeros(size).index_add_(0, number, levels)
        pixels = levels.new_zeros(size).index_add_(0, number, torch.ones_like(levels))
        mean = (total / pixels.clamp(min=1) / _LEVELS).to(values.dtype)
        return torch.where(self.instance > 0, mean[self.instance], values)

    def painted(self, of_object: Tensor) -> Tensor:
        """Paints a number per object: thing pixels without an object get 0, stuff gets 1.

        Args:
            of_object: (N + 1,) float in [0, 1]; entry 0 is not looked at.
        """
        sure = of_object.to(self.instance.device).float()[self.instance]
        return torch.where(self.instance > 0, sure, (~self.is_thing).float())


class Confidence(ABC):
    """Says how sure the labels of an image are.

    Attributes:
        needs: Fields of `Observation` that it looks at beside `semantic` and `things`.
    """

    needs: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The class path, for manifests."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}"

    def setup(self, dim: int) -> None:
        """Reads files, if any; called once, before any image.

        Args:
            dim: Channels of the features.

        Raises:
            WeightsError: A file is missing, damaged, or of other features.
        """
        del dim

    @property
    def sources(self) -> Mapping[str, str]:
        """SHA-256 of files that it read in `setup`, by what they are; for manifests."""
        return {}

    @abstractmethod
    def of(self, evidence: Evidence) -> Tensor:
        """Looks at the labels of one image.

        Returns:
            (h, w) float32 in [0, 1] on the device of the labels, 1 = sure.

        Raises:
            ValueError: Something that it needs is missing.
        """
        ...
