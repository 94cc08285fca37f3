"""The words of every batch that travels between datamodules, modules and callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from torch import Tensor

from relief.schema.observation import LabelRecord


class Failure(TypedDict):
    """One image that could not be read or labelled."""

    key: str
    reason: str  # one line for people


def first_reasons(failures: Sequence[Failure], most_named: int = 3) -> str:
    """Says in one line why images could not be used; of more than some, the first are named."""
    told = [f"{one['key']}: {one['reason'].removeprefix(one['key'] + ': ')}" for one in failures]
    more = "" if len(told) <= most_named else f" and {len(told) - most_named} more."
    return "; ".join(one.removesuffix(".") for one in told[:most_named]) + (more or ".")


class ImageBatch(TypedDict):
    """Images of one size, as a DataModule yields them.

    A batch in which every image failed has an `image` of B = 0.
    """

    image: Tensor  # (B, 3, H, W) uint8 on the CPU; float32 in [0, 1] on the device; RGB
    key: list[str]  # stable ids such as `aachen/aachen_000000_000019`, also the path stem written
    depth: NotRequired[Tensor]  # (B, 1, h, w) float32 in [0, 1], 0 near, 1 far; any resolution
    # Ground truth, class ids; (thing, 0) = crowd. int16 or int32 on the CPU, int64 on the device.
    target: NotRequired[Tensor]  # (B, H, W, 2)
    failures: NotRequired[list[Failure]]  # what could not be read; not in `image` or `key`


class PanopticPrediction(TypedDict):
    """The result of `predict_step` for a batch, at the own size of every image."""

    key: list[str]
    records: list[LabelRecord]  # per image of `key`
    failures: list[Failure]
