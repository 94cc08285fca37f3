"""Cityscapes, and every data set laid out like it, as a source of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from relief.formats.cityscapes import CityscapesTree
from relief.schema.label_spaces import label_space as find_label_space


class CityscapesSource:
    """One split of `ROOT/leftImg8bit`, with `ROOT/gtFine` beside it if any.

    Args:
        root: The folder that holds `leftImg8bit`.
        split: Name of the split.
        label_space: `cityscapes19` or `cityscapes27`.
        images: Name of the folder of images.
    """

    def __init__(
        self,
        root: str,
        split: str = "val",
        label_space: str = "cityscapes19",
        images: str = "leftImg8bit",
    ) -> None:
        self.label_space = find_label_space(label_space)
        self._tree = CityscapesTree(Path(root), split, images)

    @property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images; raises `UsageError` where there is none."""
        return self._tree.keys

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        return self._tree.image_path(key)

    def has_target(self, key: str) -> bool:
        """Returns whether this image has an `instanceIds` file."""
        return self._tree.has_target(key)

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64; raises `ReadError`."""
        return self._tree.target(key, self.label_space)
