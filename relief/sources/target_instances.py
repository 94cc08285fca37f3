"""The objects of any data set, each with its mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from relief.ops.objects.instance_masks import panoptic_instances
from relief.schema.instances import ImageInstances, InstanceReader
from relief.schema.sources import ImageSource, keys_with_target


class TargetInstances:
    """Reads the objects out of ground-truth maps; fits `InstanceReader`.

    Args:
        source: The data set.
    """

    has_masks = True

    def __init__(self, source: ImageSource) -> None:
        self.source = source

    @cached_property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images that have ground truth."""
        return keys_with_target(self.source)

    def instances(self, key: str) -> ImageInstances:
        """Returns the objects in class ids, regions without single objects as crowds.

        Raises:
            ReadError: The ground truth of this image cannot be read.
        """
        things = self.source.label_space.things
        return panoptic_instances(self.source.target(key), things, has_crowds=True)


def objects_of(source: ImageSource) -> InstanceReader:
    """Returns the reader of the objects of a data set: the source itself where it is one."""
    return source if isinstance(source, InstanceReader) else TargetInstances(source)
