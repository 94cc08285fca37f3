"""A folder of images and a folder of labels with the same names: how many data sets come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from relief.formats.reader import path_of_key
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import VOID, LabelSpace, thing_mask


class PairedFolders(ABC):
    """Images with labels; the key of an image is its name without the ending.

    Subclasses say what a label file holds: `names` by id, void where the label space has no such
    class, and how it is read.

    Args:
        root: The folder that holds both folders.
        images: Name of the folder of images.
        labels: Name of the folder of labels.
        image_ending: What follows the key in the name of an image.
        label_ending: What follows it in that of its labels.
        needs_labels: Whether an image without labels is refused.
    """

    label_space: LabelSpace
    names: tuple[str, ...]
    free_arguments = frozenset({"root"})
    split = ""

    def __init__(
        self,
        root: str | Path,
        images: str,
        labels: str,
        image_ending: str = ".png",
        label_ending: str = ".png",
        needs_labels: bool = True,
    ) -> None:
        self.root = Path(root)
        self._images, self._labels = self.root / images, self.root / labels
        self._image_ending, self._label_ending = image_ending, label_ending
        self._needs_labels = needs_labels

    @abstractmethod
    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads a label file: ids into `names` and objects, 0 = none; (H, W) int64 each.

        Raises:
            ReadError: It cannot be read.
        """
        ...

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: There is none, or one has no labels where all need them.
        """
        places = ((self._images, self._image_ending), (self._labels, self._label_ending))
        keys, labelled = (
            sorted(path.name.removesuffix(ending) for path in folder.glob(f"*{ending}"))
            for folder, ending in places
        )
        if not keys:
            looked_for = self._images / f"*{self._image_ending}"
            msg = f"no images found: {looked_for}. Check the root of the source."
            raise UsageError(msg)
        missing = sorted(set(keys) - set(labelled))
        if missing and self._needs_labels:
            msg = (
                f"{len(missing)} of {len(keys)} images have no labels in {self._labels} "
                f"(the first is {missing[0]}{self._image_ending}). "
                "Unpack the labels, or remove these images."
            )
            raise UsageError(msg)
        return keys

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        return path_of_key(self._images, key, self._image_ending)

    def target_path(self, key: str) -> Path | None:
        """Returns the label file of a key; `None` where there is none."""
        path = path_of_key(self._labels, key, self._label_ending)
        return path if path.is_file() else None

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64: class id, object; as it is stored.

        Raises:
            ReadError: It cannot be read, or holds an id of no label.
        """
        path = path_of_key(self._labels, key, self._label_ending)
        ids, objects = self.read(path)
        unknown = ids[ids >= len(self._class_of_id)].unique().tolist()
        if unknown:
            msg = (
                f"labels have unknown ids: {path} ({', '.join(map(str, unknown[:5]))}, expected 0 "
                f"to {len(self._class_of_id) - 1}). Unpack the file again, or leave its image out."
            )
            raise ReadError(msg)
        category = self._class_of_id[ids]
        is_thing = thing_mask(self.label_space.things, self.label_space.num_classes + 1)
        has_object = is_thing[category]  # category -1 reads the last entry: False
        return torch.stack((category, objects.where(has_object, 0)), dim=-1)

    @cached_property
    def _class_of_id(self) -> Tensor:
        names = self.label_space.names
        known = [names.index(name) if name in names else VOID for name in self.names]
        return torch.tensor(known)
