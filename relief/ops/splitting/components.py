"""4-connected components of a map of many labels, in one pass."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def label_components(labels: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Numbers the 4-connected regions of equal label.

    Args:
        labels: (H, W) integers >= 0 or bool; 0 is background.

    Returns:
        (H, W) unsigned integers, 0 where `labels` is 0, else 1..N in scan order of the first pixel
        of each component, and N.
    """
    components, count = cc3d.connected_components(
        np.ascontiguousarray(labels), connectivity=4, return_N=True
    )
    return components, int(count)


def component_areas_px(components: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Pixels of each component.

    Args:
        components: Integers of any shape in 0..count.
        count: Number of components.

    Returns:
        (count + 1,) int64; entry 0 is the background.
    """
    return np.bincount(components.ravel(), minlength=count + 1).astype(np.int64, copy=False)


def connected_components(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same for a tensor on any device; the labelling itself runs on the CPU.

    Args:
        labels: (H, W) integers; negative ones are background.

    Returns:
        (H, W) int64 components: 0 where there is none, else 1..N in scan order; and (N + 1,) int64
        areas in pixels, entry 0 the background. Both on the device of `labels`.
    """
    shifted = (labels.to(torch.int64) + 1).clamp(min=0).cpu().numpy()
    components, count = label_components(shifted.astype(np.uint32))
    areas = component_areas_px(components, count)
    as_int64 = torch.from_numpy(components.astype(np.int64))
    return as_int64.to(labels.device), torch.from_numpy(areas).to(labels.device)
