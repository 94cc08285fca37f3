"""Any folder of photographs as a source of images, without ground truth."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Tensor

from relief.formats.images import find_images
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import LabelSpace

NO_CLASSES = LabelSpace("none", ())


class ImageFolderSource:
    """Images of any sizes in any nested folder; the key of one is its path without the ending.

    Args:
        root: The folder. Left empty, the run stops with the option to type.
        option: Name of the option that gives the folder, for errors.
    """

    label_space = NO_CLASSES
    free_arguments = frozenset({"root"})
    split = ""

    def __init__(self, root: str | Path = "", option: str = "data.root") -> None:
        self.root = Path(root)
        self._is_given = bool(str(root))
        self._option = option

    @cached_property
    def _paths(self) -> dict[str, Path]:
        if not self._is_given:
            msg = "no folder given: data.root is empty. Add --data.init_args.root DIR."
            raise UsageError(msg)
        return find_images(self.root, self._option)

    @property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: There is none, or no folder was given.
        """
        return sorted(self._paths)

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        return self._paths[key]

    def target_path(self, key: str) -> Path | None:
        """Returns `None`: photographs have no ground truth."""
        del key
        return None

    def target(self, key: str) -> Tensor:
        """Raises `ReadError`: photographs have no ground truth."""
        raise ReadError(f"no ground truth: {self.root} holds photographs only ({key}).")
