"""Small masks over boxes, brought into whole images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MEMBERSHIP = 0.5
"""Pixels with at least this probability belong to an object."""
PIXELS_AT_ONCE = 2**26
"""Pixels of the masks that an accelerator samples together: about 1 GB of memory."""


def paste_masks(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Samples each mask bilinearly at the centres of the pixels in its box; outside it is 0.

    Args:
        probabilities: (N, M, M) float in [0, 1], the mask of each object over its box.
        boxes: (N, 4) float x0, y0, x1, y1 in px of an image of `size`; none of them empty.
        size: (height, width) of the image.

    Returns:
        (N, height, width) bool, where the probability is at least 0.5.
    """
    pasted = probabilities.new_zeros((len(boxes), *size), dtype=torch.bool)
    if boxes.device.type == "cpu":
        for mask, probability, box in zip(pasted, probabilities, boxes, strict=True):
            rows, columns = _span(box[1::2], size[0]), _span(box[0::2], size[1])
            if mask[rows, columns].numel():
                mask[rows, columns] = _sample(probability[None], box[None], rows, columns)[0]
        return pasted
    count = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
    whole = slice(0, size[0]), slice(0, size[1])
    for start in range(0, len(boxes), count):
        part = slice(start, start + count)
        pasted[part] = _sample(probabilities[part], boxes[part], *whole)
    return pasted


def _span(ends: Tensor, side_px: int) -> slice:
    """The pixels of a side that a box may touch, one more at both ends; empty outside the image."""
    first, last = ends.tolist()
    stop = min(side_px, max(0, math.ceil(last) + 1))
    return slice(min(stop, max(0, math.floor(first) - 1)), stop)


def _sample(probabilities: Tensor, boxes: Tensor, rows: slice, columns: slice) -> Tensor:
    """(N, rows, columns) bool: the masks at the centres of the pixels of a part of the image."""
    x0, y0, x1, y1 = boxes.split(1, dim=1)
    centre = [
        torch.arange(side.start, side.stop, device=boxes.device, dtype=torch.float32) + 0.5
        for side in (rows, columns)
    ]
    y = (centre[0] - y0) / (y1 - y0) * 2 - 1
    x = (centre[1] - x0) / (x1 - x0) * 2 - 1
    shape = (len(boxes), y.shape[1], x.shape[1])
    grid = torch.stack((x[:, None, :].expand(shape), y[:, :, None].expand(shape)), dim=3)
    sampled = F.grid_sample(probabilities[:, None], grid.to(probabilities), align_corners=False)
    return sampled[:, 0] >= MEMBERSHIP
