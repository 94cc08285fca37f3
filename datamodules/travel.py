"""How batches travel: small from the reading processes, in full words on the device."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

ID_MAPS = ("category", "instance", "target")
SHARES = ("confidence",)  # in [0, 1], as 8 bits on the way


def small_ids(ids: Tensor) -> Tensor:
    """Returns a map of ids as the smallest of int8, int16 and int32 that holds all of them."""
    least, largest = torch.aminmax(ids) if ids.numel() else (ids.new_zeros(()),) * 2
    for dtype in (torch.int8, torch.int16):
        bounds = torch.iinfo(dtype)
        if bounds.min <= int(least) and int(largest) <= bounds.max:
            return ids.to(dtype)
    return ids.to(torch.int32)


def on_device(batch: dict[str, Any]) -> dict[str, Any]:
    """Returns a batch that has arrived: images and shares float32 in [0, 1], ids int64."""
    ids = {name: batch[name].to(torch.int64) for name in ID_MAPS if name in batch}
    shares = {name: batch[name].to(torch.float32) / 255 for name in SHARES if name in batch}
    return {**batch, **ids, **shares, "image": batch["image"].to(torch.float32) / 255}


def pins_memory(trainer: pl.Trainer | None) -> bool:
    """Whether batches wait in pinned memory: only for a trainer that computes on a GPU.

    Pinning makes a CUDA context, which a run on the CPU of a machine with a GPU must not.
    """
    return trainer is not None and trainer.strategy.root_device.type == "cuda"
