"""The seam of a data set: one object knows its images, its ground truth and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from relief.schema.label_spaces import LabelSpace


@runtime_checkable
class ImageSource(Protocol):
    """The images of one split of a data set. Constructors read no files.

    Attributes:
        root: The folder of the data set; all photographs lie below it.
        split: Name of the split; precomputed depth lies below a folder of that name. Empty where
            the data set has no splits.
    """

    root: Path
    split: str

    @property
    def label_space(self) -> LabelSpace:
        """The classes of the ground truth."""
        ...

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: There is none.
        """
        ...

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        ...

    def target_path(self, key: str) -> Path | None:
        """Returns the file that the ground truth of a key is read from; `None`: there is none."""
        ...

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64: class id of `label_space`, instance.

        Raises:
            ReadError: It cannot be read.
        """
        ...


def keys_with_target(source: ImageSource) -> list[str]:
    """Lists the sorted keys of the images that have ground truth."""
    return [key for key in source.keys if source.target_path(key) is not None]
