"""The one reading interface of every label format, and keys as safe paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2s
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError
from relief.schema.geometry import same_aspect
from relief.schema.label_spaces import LabelSpace

_T = TypeVar("_T")
_LONGEST_BYTES = 255 - len(".png")


class LabelReader(Protocol):
    """Labels by image key. Evaluation, training and exports read any format through this."""

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images that have labels."""
        ...

    @property
    def num_categories(self) -> int:
        """How many ids there may be: all ids lie in [-1, num_categories)."""
        ...

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """Ids that are things; `None` where the format does not say."""
        ...

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 ids before splitting, -1 = ignore.

        Raises:
            ReadError: The labels of this image cannot be read.
        """
        ...

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance); void is (-1, 0).

        Stuff has instance 0; thing pixels without an instance are (category, 0).

        Raises:
            ReadError: The labels of this image cannot be read.
        """
        ...


class ChangedLabels:
    """Labels made of other labels, with the same ids."""

    labels: LabelReader

    @property
    def num_categories(self) -> int:
        """Those of the labels."""
        return self.labels.num_categories

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """Those of the labels."""
        return self.labels.thing_ids


class ClassLabels:
    """Labels of the classes of a label space."""

    space: LabelSpace

    @property
    def num_categories(self) -> int:
        """The classes of the label space."""
        return self.space.num_classes

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """The thing classes of the label space."""
        return self.space.things


def path_of_key(folder: Path, key: str, suffix: str) -> Path:
    """The file of a key, which may hold sub-folders and any characters but no way out.

    Raises:
        ValueError: The key is empty, absolute or climbs out of the folder.
    """
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\0" in key:
        msg = f"expected a key to be a relative path inside the folder, got {key!r}"
        raise ValueError(msg)
    return folder / f"{key}{suffix}"


def printable(name: str) -> str:
    r"""Returns a file name as text that every file and terminal can hold.

    Bytes that are no UTF-8, as old archives leave them, become `\xdf`.
    """
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def writable_key(name: str) -> str:
    """Returns the key of an image file: printable, and so short that `KEY.png` is a file name.

    A name that is too long keeps its beginning and gets a digest of the whole.
    """
    parts = [part.encode() for part in printable(name).split("/")]
    return "/".join(
        part.decode()
        if len(part) <= _LONGEST_BYTES
        else f"{part[:200].decode(errors='ignore')}-{blake2s(part, digest_size=6).hexdigest()}"
        for part in parts
    )


def join_panoptic(semantic: Tensor, instance: Tensor, where: object) -> Tensor:
    """Two maps of one image as (H, W, 2) int64; where the category is ignored, all is void.

    Raises:
        ReadError: The maps have different sizes.
    """
    refuse_other_size(semantic.shape, instance.shape, where)
    return torch.stack((semantic, instance.where(semantic >= 0, 0)), dim=-1)


def refuse_other_size(semantic: Sequence[int], instance: Sequence[int], where: object) -> None:
    """Refuses two maps of one image that differ in size; raises `ReadError` with both sizes."""
    if tuple(semantic) != tuple(instance):
        sizes = " and ".join("x".join(map(str, size)) for size in (semantic, instance))
        msg = f"semantic and instance maps differ in size: {where} ({sizes}). Make them again."
        raise ReadError(msg)


def panoptic_at(
    labels: LabelReader, key: str, size: tuple[int, int]
) -> tuple[Tensor, tuple[int, int]]:
    """Reads a panoptic map at another size; a reader may have a faster `panoptic_at` of its own.

    Args:
        labels: Any labels.
        key: The image.
        size: (height, width) wanted; each pixel takes the label under its centre.

    Returns:
        (*size, 2) int64 as of `LabelReader.panoptic`, and the size at which it is stored.

    Raises:
        ReadError: As `LabelReader.panoptic`.
    """
    faster = getattr(labels, "panoptic_at", None)
    if faster is not None:
        read: tuple[Tensor, tuple[int, int]] = faster(key, size)
        return read
    panoptic = labels.panoptic(key)
    at_size = resize_nearest(panoptic.permute(2, 0, 1), size).permute(1, 2, 0)
    return at_size, (panoptic.shape[0], panoptic.shape[1])


def entry_of(entries: Mapping[str, _T], key: str, where: Path) -> _T:
    """Looks up what a format knows of a key.

    Raises:
        ReadError: It knows none of that name.
    """
    if key not in entries:
        raise ReadError(f"no labels of {key}: {where}. Check the key.")
    return entries[key]


def refuse_other_shape(
    key: str, image: Sequence[int], labels: Sequence[int], of: str = "image"
) -> None:
    """Refuses to stretch labels over something of another shape; resolutions may differ.

    Args:
        key: The image.
        image: (height, width) of what they are laid over.
        labels: (height, width).
        of: Word for what they are laid over.

    Raises:
        ReadError: The aspects differ by more than 2 %: they are turned, cropped, or of another one.
    """
    if not same_aspect(image, labels):
        msg = (
            f"labels have another shape than their {of}: {key} ({labels[0]}x{labels[1]}, "
            f"{of} {image[0]}x{image[1]}). Give those of the whole, upright image."
        )
        raise ReadError(msg)
