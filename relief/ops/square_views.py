"""Square parts of images that a head learns from: the same ones in every pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor

from relief.ops.resize import resize_image
from relief.schema.geometry import scaled_size
from relief.schema.ranges import check_at_least


@dataclass(frozen=True)
class SquareViews(ABC):
    """A fixed number of squares of every image.

    Attributes:
        side_px: Of each square.
        count: Squares of an image.
    """

    side_px: int = 322
    count: int = 5

    def __post_init__(self) -> None:
        check_at_least(1, side_px=self.side_px, count=self.count)

    @abstractmethod
    def view(self, image: Tensor, number: int) -> Tensor:
        """(3, H, W) uint8 -> square `number`, 0 to `count` - 1: (3, side, side) uint8."""
        ...


@dataclass(frozen=True)
class HalfSizeCrops(SquareViews):
    """The corners and the middle, each of half the sides, as published: objects are twice as large.

    The middle square of each is taken after it was shrunk to the nearest pixels. The published
    crops went through JPEG in between.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(5, count=self.count)

    def view(self, image: Tensor, number: int) -> Tensor:
        """Top left, top right, bottom left, bottom right, middle."""
        full = (image.shape[-2], image.shape[-1])
        half = (max(1, full[0] // 2), max(1, full[1] // 2))
        free = (full[0] - half[0], full[1] - half[1])
        twice = ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))[number]  # places in halves of what is free
        top, left = (part * place // 2 for part, place in zip(free, twice, strict=True))
        size = scaled_size(half, self.side_px)
        rows = [top + row for row in _nearest(half[0], size[0])]
        columns = [left + column for column in _nearest(half[1], size[1])]
        return _square(image[:, rows][:, :, columns], self.side_px, 1, 2)


@dataclass(frozen=True)
class WindowsAlong(SquareViews):
    """Squares of the whole short side, evenly along the longer one: as labelling sees an image."""

    side_px: int = 320
    count: int = 3

    def view(self, image: Tensor, number: int) -> Tensor:
        """From the top or the left; of one square, the middle."""
        size = scaled_size((image.shape[-2], image.shape[-1]), self.side_px)
        whole = resize_image(image[None], size)[0]
        if self.count == 1:
            return _square(whole, self.side_px, 1, 2)
        return _square(whole, self.side_px, number, self.count - 1)


def _nearest(old: int, new: int) -> list[int]:
    """Which pixels PIL's NEAREST takes: it adds up the step, and rounding decides between two."""
    step = old / new
    return [int(place) for place in accumulate([step] * (new - 1), initial=step / 2)]


def _square(image: Tensor, side_px: int, part: int, parts: int) -> Tensor:
    """The square after `part` of `parts` of what is free along the longer side."""
    top, left = ((length - side_px) * part // parts for length in image.shape[-2:])
    return image[:, top : top + side_px, left : left + side_px]
