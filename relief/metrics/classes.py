"""The classes that labels are scored in, as rows of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relief.metrics.panoptic_statistics import Categories, Ids, Mask
from relief.schema.label_spaces import VOID


@dataclass(frozen=True)
class Classes:
    """The classes scored, ascending by id.

    Attributes:
        ids: (C,) class ids.
        is_thing: (C,) bool.
    """

    ids: Ids
    is_thing: Mask

    @classmethod
    def of(cls, things: Sequence[int], stuffs: Sequence[int]) -> Classes:
        """The classes of two sets of ids.

        Raises:
            ValueError: A class is in both sets, is negative, or there is none.
        """
        ids = sorted({*things, *stuffs})
        if set(things) & set(stuffs) or not ids or ids[0] < 0:
            msg = f"Expected `things` and `stuffs` to be distinct ids, got {things} and {stuffs}"
            raise ValueError(msg)
        return cls(np.array(ids, dtype=np.int64), np.isin(ids, list(things)))

    def rows(self, class_ids: Ids) -> Ids:
        """The row of each class id, -1 for an id that is not scored."""
        row = np.full(int(self.ids[-1]) + 1, VOID, dtype=np.int64)
        row[self.ids] = np.arange(len(self.ids))
        known = (class_ids >= 0) & (class_ids < len(row))
        return np.where(known, row[np.where(known, class_ids, 0)], VOID)

    def categories(self) -> Categories:
        """Categories that are class ids."""
        rows = self.rows(np.arange(int(self.ids[-1]) + 1))
        return Categories(rows, (rows != VOID) & self.is_thing[rows])

    def clusters(self, assignment: Ids, is_thing_cluster: Mask) -> Categories:
        """Categories that are clusters.

        Args:
            assignment: (K,) class id of each cluster, -1 = void.
            is_thing_cluster: (K,) bool, whether the cluster comes in instances.
        """
        return Categories(self.rows(assignment), is_thing_cluster)
