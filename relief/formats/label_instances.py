"""The instances of panoptic labels of any format, each with its mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from relief.formats.reader import LabelReader
from relief.ops.objects.instance_masks import panoptic_instances
from relief.schema.instances import ImageInstances


class LabelInstances:
    """Reads labels instance by instance; fits `relief.schema.instances.InstanceReader`.

    Args:
        labels: The labels. Where their format does not say which categories are things, every one
            that has an instance is.
        confidence: Gives by key (H, W) in [0, 1], or `None`; its mean over an instance is its
            score, else 1.
    """

    has_masks = True

    def __init__(
        self, labels: LabelReader, confidence: Callable[[str], Tensor | None] | None = None
    ) -> None:
        self.labels = labels
        self._confidence = confidence

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images that have labels."""
        return self.labels.keys

    def instances(self, key: str) -> ImageInstances:
        """Returns the instances of an image in the ids of the labels; raises `ReadError`."""
        panoptic = self.labels.panoptic(key)
        confidence = self._confidence(key) if self._confidence else None
        things = self.labels.thing_ids
        ids = range(self.labels.num_categories) if things is None else things
        return panoptic_instances(panoptic, ids, confidence)
