"""Labels of clusters read as labels of classes, through an assignment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from relief.formats.reader import ClassLabels, LabelReader
from relief.schema.label_spaces import VOID, LabelSpace, thing_mask


class AssignedLabels(ClassLabels):
    """Fits `relief.formats.reader.LabelReader`.

    As in the metrics: all pixels of a stuff class lose their instances, pixels of thing clusters
    without an instance stay (class, 0), and pixels of stuff clusters assigned to a thing class
    are one instance per class and image, numbered after the others.

    Args:
        labels: Labels of clusters.
        class_of_category: Class id of each category, -1 = void.
        space: The classes.
    """

    def __init__(
        self, labels: LabelReader, class_of_category: Sequence[int], space: LabelSpace
    ) -> None:
        self.labels = labels
        self.classes = torch.tensor([*class_of_category, VOID], dtype=torch.int64)
        self.space = space

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys."""
        return self.labels.keys

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 class ids, -1 = void; raises `ReadError`."""
        return self.classes[self.labels.semantic(key)]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (class, instance); raises `ReadError`."""
        category, instance = self.labels.panoptic(key).unbind(-1)
        class_id = self.classes[category]
        is_thing = thing_mask(self.space.things, self.space.num_classes + 1)[class_id]
        split_category = thing_mask(self.labels.thing_ids or (), len(self.classes))[category]
        instance = instance.where(is_thing & split_category, 0)
        merged = is_thing & ~split_category
        if bool(merged.any()):
            last = int(instance.max())
            _, order = class_id[merged].unique(return_inverse=True)
            instance[merged] = last + 1 + order
        return torch.stack((class_id, instance), dim=-1)
