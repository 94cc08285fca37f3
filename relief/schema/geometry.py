"""At which sizes things happen."""

from __future__ import annotations

from collections.abc import Sequence

from relief.schema.errors import UsageError

MAX_ASPECT_DIFFERENCE = 0.02


class WindowGeometry:
    """How an image is cut for the backbone.

    The published code resizes the short side to 322 px and slides windows of 322 px every 161 px;
    `short_side_px=1022` is the full resolution of which the published text speaks. A plain class:
    the configuration parser cannot hand a finished dataclass from one part to another.

    Args:
        short_side_px: The image's short side is resized to this, both sides then rounded down to
            multiples of the backbone's patch.
        window_px: Side of the square window.
        stride_px: Distance between neighbouring windows, at most `window_px`; the last one ends at
            the border.

    Raises:
        UsageError: A number is not positive, or windows would leave gaps between them.
    """

    def __init__(
        self, short_side_px: int = 322, window_px: int = 322, stride_px: int = 161
    ) -> None:
        for name, value in (("short_side_px", short_side_px), ("window_px", window_px)):
            if value < 1:
                msg = f"not a size: {name} {value}. Set {name} to at least 1."
                raise UsageError(msg)
        if not 1 <= stride_px <= window_px:
            msg = (
                f"windows leave gaps or do not move: stride_px {stride_px} with window_px "
                f"{window_px}. Set stride_px from 1 to {window_px}."
            )
            raise UsageError(msg)
        self.short_side_px = short_side_px
        self.window_px = window_px
        self.stride_px = stride_px


def same_aspect(size: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two (height, width) show the same part of a scene: aspects within 2 %.

    Labels, depth and ground truth may have another resolution than their image; turned or cropped
    ones belong to another.
    """
    ratio = (size[0] * other[1]) / (size[1] * other[0])
    return max(ratio, 1 / ratio) - 1 <= MAX_ASPECT_DIFFERENCE


def scaled_size(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    """The (height, width) with that short side and the same aspect, rounded to whole pixels."""
    short = min(size)
    return (
        max(1, round(size[0] * short_side_px / short)),
        max(1, round(size[1] * short_side_px / short)),
    )


def shrunk_size(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    """As `scaled_size`, but never larger than it is; 0 changes nothing."""
    if short_side_px <= 0 or min(size) <= short_side_px:
        return size
    return scaled_size(size, short_side_px)
