"""The instances of one image with their own masks, which may overlap, as COCO has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Rle(TypedDict):
    """A mask as pycocotools has it: compressed run lengths, down the columns.

    Attributes:
        size: [height, width].
        counts: The runs.
    """

    size: list[int]
    counts: bytes


@dataclass(frozen=True)
class ImageInstances:
    """The instances of one image: predicted ones, or objects of the ground truth.

    Attributes:
        size: (height, width) of the image.
        category: (N,) int64 ids.
        boxes: (N, 4) float64 x, y, width, height in pixels.
        area_px: (N,) float64.
        scores: (N,) float64, the higher the surer; of ground truth 1.
        crowd: (N,) bool, regions of many objects that were not told apart.
        masks: Of each instance, of the size of the image; `None` where there are boxes only.
        tracks: (N,) int64 number of each object in the video it is followed through, or `None`.
    """

    size: tuple[int, int]
    category: NDArray[np.int64]
    boxes: NDArray[np.float64]
    area_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    masks: Sequence[Rle] | None
    tracks: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Returns how many instances there are."""
        return len(self.category)

    def at(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> ImageInstances:
        """Returns some of the instances, in the order of their numbers here."""
        numbers = np.arange(len(self))[which]
        return replace(
            self,
            category=self.category[numbers],
            boxes=self.boxes[numbers],
            area_px=self.area_px[numbers],
            scores=self.scores[numbers],
            crowd=self.crowd[numbers],
            masks=None if self.masks is None else [self.masks[number] for number in numbers],
            tracks=None if self.tracks is None else self.tracks[numbers],
        )

    def with_scores(
        self, scores: NDArray[np.float64], tracks: NDArray[np.int64] | None = None
    ) -> ImageInstances:
        """Returns the same instances with other scores (N,), and with tracks."""
        return replace(self, scores=scores, tracks=tracks)

    def in_classes(self, class_of_category: Mapping[int, int]) -> ImageInstances:
        """Returns the same instances with other ids; all ids must be known."""
        ids = [class_of_category[number] for number in self.category.tolist()]
        return replace(self, category=np.array(ids, dtype=np.int64))


@runtime_checkable
class InstanceReader(Protocol):
    """Instances by image key, of ground truth or predicted."""

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images."""
        ...

    @property
    def has_masks(self) -> bool:
        """Whether instances have masks, not boxes only."""
        ...

    def instances(self, key: str) -> ImageInstances:
        """Returns the instances of an image.

        Raises:
            ReadError: They cannot be read.
        """
        ...
