"""Labels seen through names given by hand: merged categories for exports."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from relief.formats.reader import LabelReader
from relief.schema.categories import Category
from relief.schema.label_spaces import VOID, thing_mask
from relief.schema.names import ClusterNames


class NamedLabels:
    """Labels whose clusters are merged; fits `relief.formats.reader.LabelReader`.

    A category that the names make stuff loses its instances; one that they make a thing has pixels
    without an instance.

    Args:
        reader: Labels of clusters.
        names: The names; a cluster without one keeps its own category.
    """

    def __init__(self, reader: LabelReader, names: ClusterNames) -> None:
        self.reader = reader
        self.merged = names.merge(reader.num_categories, reader.thing_ids or ())
        self._lookup = torch.cat((self.merged.category_of_cluster, torch.tensor([VOID])))
        self._is_thing = torch.cat(
            (thing_mask(self.thing_ids, self.num_categories), torch.tensor([False]))
        )

    @property
    def keys(self) -> Sequence[str]:
        """Keys of the labels."""
        return self.reader.keys

    @property
    def categories(self) -> list[Category]:
        """What the ids are called now."""
        return self.merged.categories

    @property
    def num_categories(self) -> int:
        """Names and clusters without one."""
        return len(self.merged.categories)

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """Categories that are things."""
        return self.merged.thing_ids

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 merged ids, -1 = ignore; raises `ReadError`."""
        return self._lookup[self.reader.semantic(key)]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (merged id, instance); raises `ReadError`."""
        cluster, instance = self.reader.panoptic(key).unbind(-1)
        category = self._lookup[cluster]
        return torch.stack((category, instance.where(self._is_thing[category], 0)), dim=-1)
