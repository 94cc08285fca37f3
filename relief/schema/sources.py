"""The seam of a data set: one object knows its images, its ground truth and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from relief.schema.label_spaces import LabelSpace


@runtime_checkable
class ImageSource(Protocol):
    """The images of one split of a data set. Constructors read no files."""

    label_space: LabelSpace

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

    def has_target(self, key: str) -> bool:
        """Returns whether this image has ground truth."""
        ...

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64: class id of `label_space`, instance.

        Raises:
            ReadError: It cannot be read.
        """
        ...
