"""Telling an image that a depth network cannot take from a fault of the network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from relief.schema.errors import ReadError, is_about_memory

ORDINARY_PX = 224  # the side of a square image that any monocular depth network takes
_MOST_CHARACTERS = 120


def depth_or_refusal(network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The depth of an image, or why there is none.

    Libraries say "this size is too odd for me" by whatever error comes first. A network that fails
    on an ordinary image too has a fault, and so has a machine without memory: raised as they are.

    Args:
        network: (3, h, w) float32 in [0, 1] to depth.
        image: (3, H, W) float32 in [0, 1].

    Raises:
        ReadError: The network cannot take this image, but takes an ordinary one.
    """
    try:
        return network(image)
    except (ValueError, RuntimeError) as error:
        if is_about_memory(error) or not _takes_an_ordinary_image(network, image):
            raise
        raise refusal(image, " ".join(str(error).split())) from error


def refusal(image: Tensor, reason: str) -> ReadError:
    """The line for an image (..., H, W) that a depth network cannot take."""
    height, width = image.shape[-2:]
    return ReadError(
        f"depth network cannot take the image: {height}x{width} px ({reason[:_MOST_CHARACTERS]}). "
        "Leave it out, crop it, or use another depth network."
    )


def _takes_an_ordinary_image(network: Callable[[Tensor], Tensor], image: Tensor) -> bool:
    try:
        network(image.new_full((3, ORDINARY_PX, ORDINARY_PX), 0.5))
    except (ValueError, RuntimeError):
        return False
    return True
