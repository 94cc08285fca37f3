"""Images with the instances of a COCO JSON as a source: COCO, LVIS, UVO and others like them."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2s
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.coco.instances import CocoInstances
from relief.ops.objects.instance_masks import decoded
from relief.schema.categories import cluster_color
from relief.schema.errors import ReadError, UsageError
from relief.schema.instances import ImageInstances
from relief.schema.label_spaces import VOID, Label, LabelSpace

OBJECTS = LabelSpace("objects", (Label(0, "object", cluster_color(0), is_thing=True),))


class CocoInstancesSource:
    """The images that an instance JSON lists, in its classes or without.

    Keys are the file names without their ending. All classes are things; what no object covers is
    void. Class ids are 0, 1, ... in the order of the category ids. The files are read when they
    are first asked for. Fits `relief.schema.sources.ImageSource` and
    `relief.schema.instances.InstanceReader`.

    Args:
        annotations: The JSON.
        images: The folder that its file names start from; may be left out where only objects are
            asked for.
        split: Name of the split: precomputed depth lies below a folder of that name.
        collapse: Whether all categories become the one class `object`.
    """

    free_arguments = frozenset({"images"})

    def __init__(
        self,
        annotations: str | Path,
        images: str | Path = "",
        split: str = "",
        *,
        collapse: bool = False,
    ) -> None:
        self.file = CocoInstances(annotations)
        self.root, self.split, self.collapse = Path(images), split, collapse
        self._has_images = bool(str(images))

    @cached_property
    def label_space(self) -> LabelSpace:
        """The classes; their name tells files with other classes apart."""
        if self.collapse:
            return OBJECTS
        names = list(self.file.categories.values())
        digest = blake2s("\n".join(names).encode(), digest_size=3).hexdigest()
        labels = (Label(i, n, cluster_color(i), is_thing=True) for i, n in enumerate(names))
        return LabelSpace(f"{len(names)}_classes_{digest}", tuple(labels))

    @cached_property
    def class_of_category(self) -> dict[int, int]:
        """Class id of each category id of the file."""
        return {c: 0 if self.collapse else i for i, c in enumerate(self.file.categories)}

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: There is none, the file cannot be read, or the folder of images is missing.
        """
        if self._has_images and not self.root.is_dir():
            raise UsageError(f"no such folder: images={self.root}. Check images.")
        if not self.file.keys:
            raise UsageError(f"no images listed: {self.file.json_path}. Give another file.")
        return self.file.keys

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key; raises `UsageError` without a folder."""
        if not self._has_images:
            msg = f"no folder of photographs: images is empty for {self.file.json_path}. Give it."
            raise UsageError(msg)
        return self.root / self.file.image(key).file_name

    def target_path(self, key: str) -> Path | None:
        """Returns the JSON where it lists the image, else `None`."""
        return self.file.json_path if key in self.file else None

    @property
    def has_masks(self) -> bool:
        """Whether objects have masks, not boxes only."""
        return self.file.has_masks

    def instances(self, key: str) -> ImageInstances:
        """Returns the objects of an image in class ids; raises `ReadError`."""
        return self.file.instances(key).in_classes(self.class_of_category)

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64: class id, number of the object in the file.

        Where objects overlap, the smaller one is seen; crowds lie below all others.

        Raises:
            ReadError: The objects cannot be read, or are boxes only.
        """
        objects = self.instances(key)
        if objects.masks is None:
            msg = f"boxes only: {self.file.json_path} ({key}). Measure boxes, or give masks."
            raise ReadError(msg)
        target = np.zeros((*objects.size, 2), np.int64)
        target[..., 0] = VOID
        for i in np.lexsort((-objects.area_px, ~objects.crowd)):
            number = 0 if objects.crowd[i] else i + 1
            target[decoded(objects.masks[i])] = (objects.category[i], number)
        return torch.from_numpy(target)
