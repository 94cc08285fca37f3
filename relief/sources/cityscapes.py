"""Cityscapes, and every data set laid out like it, as a source of images."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Tensor

from relief.formats.cityscapes import CityscapesIds, keys_below
from relief.formats.reader import path_of_key
from relief.schema.errors import UsageError
from relief.schema.label_spaces import label_space as find_label_space
from relief.schema.sources import ImageSource

_IMAGE = "_leftImg8bit.png"


class CityscapesSource:
    """One split of `ROOT/leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`, with `gtFine` beside it if any.

    The key of an image is `CITY/STEM`, its stem without `_leftImg8bit`. Files are looked up when
    they are first asked for.

    Args:
        root: The folder that holds `leftImg8bit`.
        split: Name of the split.
        label_space: `cityscapes19` or `cityscapes27`.
        images: Name of the folder of images.
    """

    free_arguments = frozenset({"root"})

    def __init__(
        self,
        root: str | Path,
        split: str = "val",
        label_space: str = "cityscapes19",
        images: str = "leftImg8bit",
    ) -> None:
        self.root = Path(root)
        self.split = split
        self.label_space = find_label_space(label_space)
        self.ids = CityscapesIds(self.root, split)
        self._images = self.root / images / split

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: There is none.
        """
        keys = keys_below(self._images, _IMAGE, depth=1)
        if not keys:
            looked_for = self._images / "*" / f"*{_IMAGE}"
            msg = (
                f"no images found: data.root={self.root} (looked for {looked_for}). "
                "Check data.root and data.split."
            )
            raise UsageError(msg)
        return keys

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        return path_of_key(self._images, key, _IMAGE)

    def target_path(self, key: str) -> Path | None:
        """Returns the file that `target` reads, as it lies on the disk; `None`: there is none."""
        return self.ids.instance_file(key)

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64, as `LabelSpace.target`; raises `ReadError`."""
        return self.label_space.target(self.ids.instance_ids(key))


def given_or_cityscapes(
    source: ImageSource | None,
    root: str | Path,
    split: str,
    label_space: str = "cityscapes19",
    images: str = "leftImg8bit",
) -> ImageSource:
    """Returns the source that was given, else Cityscapes at `root`; see `CityscapesSource`."""
    return source or CityscapesSource(root, split, label_space, images)
