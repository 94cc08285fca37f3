"""The decoder of a U-Net: joins maps of features from coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.schema.errors import UsageError

_GROUPS = 8  # of group norm


def joints(channels: Sequence[int], widths: Sequence[int]) -> nn.ModuleList:
    """Makes the convolutions after each joint, the coarsest first.

    Args:
        channels: Of the maps of an encoder, the finest first.
        widths: Of the joints, one fewer than there are maps, the coarsest first; multiples of 8.

    Raises:
        UsageError: The widths do not fit the encoder.
    """
    below, *skipped = reversed(channels)
    if len(skipped) != len(widths) or any(width % _GROUPS for width in widths):
        msg = (
            f"widths={list(widths)}: the encoder has {len(skipped)} maps to join, and widths "
            f"are multiples of {_GROUPS}. Give other widths."
        )
        raise UsageError(msg)
    made = nn.ModuleList()
    for beside, width in zip(skipped, widths, strict=True):
        made.append(_convolutions(below + beside, width))
        below = width
    return made


def joined(joints: nn.ModuleList, maps: Sequence[Tensor]) -> Iterator[Tensor]:
    """Gives the map after each joint, from coarse to fine.

    Args:
        joints: Of the function of that name.
        maps: (B, C, h, w) of the encoder, the finest first.
    """
    values, *skipped = reversed(maps)
    for joint, beside in zip(joints, skipped, strict=True):
        larger = F.interpolate(values, size=beside.shape[-2:], mode="nearest")
        values = joint(torch.cat((larger, beside), dim=1))
        yield values


def _convolutions(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, width),
        nn.ReLU(inplace=True),
    )
