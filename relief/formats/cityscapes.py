"""Cityscapes ids on disk: ground truth read, labels written."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from relief.formats.files.folders import AlikeFiles, walk_files
from relief.formats.label_png import read_ids, write_instance_png
from relief.formats.reader import ClassLabels, LabelReader, path_of_key
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError
from relief.schema.label_spaces import INSTANCE_DIVISOR, LabelSpace, thing_mask

_LABEL_IDS = "_gtFine_labelIds.png"
_INSTANCE_IDS = "_gtFine_instanceIds.png"
log = logging.getLogger("relief")


class CityscapesIds:
    """`labelIds` and `instanceIds` of one split, ours or the data set's.

    A split without any `instanceIds` is read from its `labelIds`: things are regions without single
    objects there, and their PQ says nothing.
    """

    def __init__(self, root: Path, split: str) -> None:
        self.folder = Path(root) / "gtFine" / split
        self._files = AlikeFiles()

    @cached_property
    def has_objects(self) -> bool:
        """Whether objects are told apart: there are `instanceIds`, or no `labelIds` either."""
        names = [path.name.lower() for path in walk_files(self.folder)]
        objects, labels = (
            any(name.endswith(ending.lower()) for name in names)
            for ending in (_INSTANCE_IDS, _LABEL_IDS)
        )
        if labels and not objects:
            log.warning(
                "no instanceIds: %s. Things are regions without single objects there; "
                "their PQ says nothing.",
                self.folder,
            )
        return objects or not labels

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys that have ground truth."""
        return keys_below(self.folder, _INSTANCE_IDS if self.has_objects else _LABEL_IDS)

    def instance_path(self, key: str) -> Path:
        """The `instanceIds` file of a key."""
        return path_of_key(self.folder, key, _INSTANCE_IDS)

    def label_path(self, key: str) -> Path:
        """The `labelIds` file of a key."""
        return path_of_key(self.folder, key, _LABEL_IDS)

    def label_ids(self, key: str) -> Tensor:
        """(H, W) int64 label ids; raises `ReadError`."""
        return self._read(self.label_path(key))

    def instance_ids(self, key: str) -> Tensor:
        """(H, W) int64: a label id, or label id * 1000 + number; raises `ReadError`."""
        return self._read(self._object_path(key))

    def instance_file(self, key: str) -> Path | None:
        """The file that `instance_ids` reads, as it lies on the disk, or `None`."""
        path = self._files.find(self._object_path(key))
        return path if path is not None and path.is_file() else None

    def _object_path(self, key: str) -> Path:
        return self.instance_path(key) if self.has_objects else self.label_path(key)

    def _read(self, path: Path) -> Tensor:
        return read_ids(self._files.find(path) or path)


class CityscapesLabels(ClassLabels):
    """Reads Cityscapes ids as labels; fits `relief.formats.reader.LabelReader`."""

    free_arguments = frozenset({"root"})

    def __init__(self, root: Path, split: str, space: LabelSpace) -> None:
        self.ids = CityscapesIds(root, split)
        self.space = space

    @property
    def keys(self) -> list[str]:
        """Sorted keys that have ground truth."""
        return self.ids.keys

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 class ids, -1 = void; raises `ReadError`."""
        return self.space.class_of_label_id[self.ids.label_ids(key).clamp(0, 255)]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (class, instance); raises `ReadError`."""
        return self.space.target(self.ids.instance_ids(key))


def write_cityscapes(
    out: Path,
    reader: LabelReader,
    space: LabelSpace,
    split: str = "val",
) -> None:
    """Writes labels as OUT/gtFine/SPLIT/KEY_gtFine_{labelIds,instanceIds}.png.

    `CityscapesLabels` reads them back equal; where an image has instance ids above 1000, the
    objects of each class are numbered anew.

    Args:
        out: Where to.
        reader: The labels.
        space: The classes that are written.
        split: Folder name.

    Raises:
        UsageError: The categories are not class ids.
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    if reader.num_categories != space.num_classes or reader.thing_ids != space.things:
        msg = (
            f"clusters are not Cityscapes ids: the labels have {reader.num_categories} "
            f"categories, {space.name} has {space.num_classes} classes. "
            "Pass --assignment FILE (evaluate.py labels writes one)."
        )
        raise UsageError(msg)
    ids = CityscapesIds(out, split)
    for key in with_progress(reader.keys, "Cityscapes ids", len(reader.keys)):
        panoptic = reader.panoptic(key)
        label, instance_ids = _cityscapes_ids(panoptic[..., 0], panoptic[..., 1], space)
        write_instance_png(ids.label_path(key), label)
        write_instance_png(ids.instance_path(key), instance_ids)


def _cityscapes_ids(class_id: Tensor, instance: Tensor, space: LabelSpace) -> tuple[Tensor, Tensor]:
    labels = torch.tensor([*(label.label_id for label in space.labels), 0])  # void: unlabeled
    label = labels[class_id]
    thing = torch.cat((thing_mask(space.things, space.num_classes), torch.tensor([False])))
    is_object = thing[class_id] & (instance > 0)
    if instance.numel() and instance.max() > INSTANCE_DIVISOR:
        instance = _numbered_by_class(class_id, instance.where(is_object, 0))
    objects = label * INSTANCE_DIVISOR + instance - 1
    return label, torch.where(is_object, objects, label)


def _numbered_by_class(class_id: Tensor, instance: Tensor) -> Tensor:
    numbered = torch.zeros_like(instance)
    for one in class_id[instance > 0].unique():
        of_class = (class_id == one) & (instance > 0)
        _, position = instance[of_class].unique(return_inverse=True)
        numbered[of_class] = position + 1
        if position.max() >= INSTANCE_DIVISOR:
            count = int(position.max()) + 1
            msg = f"too many objects for Cityscapes ids: class {one} has {count} in one image."
            raise UsageError(msg)
    return numbered


def keys_below(folder: Path, suffix: str, depth: int | None = None) -> list[str]:
    """Lists the sorted keys of files with that ending, so many folders down; `None`: any number."""
    paths = (path.relative_to(folder) for path in walk_files(folder))
    wanted = (p for p in paths if depth is None or len(p.parts) == depth + 1)
    return sorted(p.as_posix().removesuffix(suffix) for p in wanted if p.name.endswith(suffix))
