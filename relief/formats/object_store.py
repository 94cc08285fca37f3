"""A label store of which only the objects count, all of one category."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.label_store import LabelStore
from relief.schema.label_spaces import VOID

_OBJECT = 0


class ObjectStore(LabelStore):
    """Reads the objects of a store, whatever its categories; all else is void.

    What a class-agnostic detector learns from: clusters or classes of the labels are not seen.
    Pixels of things without an instance are void too. Fits `relief.formats.reader.LabelReader`.

    Args:
        out: What label.py wrote.
    """

    def __init__(self, out: Path) -> None:
        super().__init__(out)

    @property
    def num_categories(self) -> int:
        """One."""
        return 1

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """The one category; `None` while a run has not decided what things are."""
        return None if self.manifest.thing_ids is None else (_OBJECT,)

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64: 0 in objects, else -1; raises `ReadError`."""
        return self.panoptic(key)[..., 0]

    def panoptic_at(self, key: str, size: tuple[int, int] | None) -> tuple[Tensor, tuple[int, int]]:
        """As `reader.panoptic_at`, of objects alone."""
        panoptic, own_size = super().panoptic_at(key, size)
        instance = panoptic[..., 1]
        category = torch.where(instance > 0, _OBJECT, VOID)
        return torch.stack((category, instance), dim=-1), own_size
