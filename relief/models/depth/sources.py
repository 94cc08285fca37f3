"""Depth where it is wanted: from a network, or from what came with the image."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from relief.ops.objects.panoptic_map import resize_depth
from relief.schema.errors import ReadError
from relief.schema.parts import DepthModel


def depth_at(
    network: nn.Module | None, image: Tensor, depth: Tensor | None, size: tuple[int, int]
) -> Tensor | None:
    """Relative depth of one image at a size.

    Args:
        network: Fits `DepthModel`; goes before `depth`. `None`: use what was read.
        image: (3, H, W) float32 in [0, 1].
        depth: (1, 1, h, w) float32 in [0, 1] as read, or `None`.
        size: (height, width) wanted.

    Returns:
        (1, 1, *size) float32 in [0, 1], or `None` where there is no depth.

    Raises:
        ReadError: The network cannot take this image, or the depth is not finite: one such pixel
            would take every edge of the image.
    """
    if network is not None:
        at_size = cast(DepthModel, network).relative_depth(image[None], size)
    elif depth is not None:
        at_size = resize_depth(depth, size)
    else:
        return None
    if not torch.isfinite(at_size).all():
        name = "its file" if network is None else type(network).__name__
        msg = (
            f"depth is not finite: {name} gives NaN or infinite values for this image. "
            "Leave it out, or use other depth."
        )
        raise ReadError(msg)
    return at_size
