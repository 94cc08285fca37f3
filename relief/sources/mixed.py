"""Several data sets of the same classes as one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace
from relief.schema.sources import ImageSource


class MixedSource:
    """Data sets one after the other; the key of an image is `NAME/KEY`.

    Args:
        sources: The data sets by name; their classes are the same.

    Raises:
        UsageError: There is none, or their classes differ.
    """

    split = ""

    def __init__(self, sources: Mapping[str, ImageSource]) -> None:
        self.sources = dict(sorted(sources.items()))
        spaces = {name: source.label_space for name, source in self.sources.items()}
        if len({space.labels for space in spaces.values()}) != 1:
            told = ", ".join(f"{name}: {space.name}" for name, space in spaces.items())
            msg = f"a mix is of data sets of the same classes, got {told or 'none'}. Name others."
            raise UsageError(msg)
        absent = set.intersection(*(set(space.absent) for space in spaces.values()))
        first = next(iter(spaces.values()))
        self.label_space: LabelSpace = replace(first, absent=tuple(sorted(absent)))
        self.root = Path(os.path.commonpath([s.root.absolute() for s in self.sources.values()]))

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of all images; raises `UsageError` where a data set has none."""
        return sorted(f"{n}/{key}" for n, source in self.sources.items() for key in source.keys)

    def image_path(self, key: str) -> Path:
        """Returns the path of the photograph of a key."""
        source, inner = self._of(key)
        return source.image_path(inner)

    def target_path(self, key: str) -> Path | None:
        """Returns the file that the ground truth of a key is read from; `None`: there is none."""
        if key.partition("/")[0] not in self.sources:
            return None
        source, inner = self._of(key)
        return source.target_path(inner)

    def target(self, key: str) -> Tensor:
        """Returns the ground truth (H, W, 2) int64; raises `ReadError`."""
        source, inner = self._of(key)
        return source.target(inner)

    def _of(self, key: str) -> tuple[ImageSource, str]:
        name, _, inner = key.partition("/")
        return self.sources[name], inner
