"""The images of a data set that hold some classes, found once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from relief.formats.files.atomic import write_text
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError
from relief.schema.plain_text import json_of
from relief.schema.sources import ImageSource


class ImagesHolding:
    """The images of a data set that hold all of some classes, one pixel of each at least.

    All labels are looked through once; the keys are kept in a file and used again as long as it
    is of the same classes and images.

    Args:
        source: The data set.
        classes: Names of the classes.
        keys_file: Where the keys are kept.

    Raises:
        UsageError: The data set has no such class.
    """

    def __init__(self, source: ImageSource, classes: Sequence[str], keys_file: str | Path) -> None:
        self.source, self.label_space = source, source.label_space
        self.root, self.split = source.root, source.split
        unknown = sorted(set(classes) - set(self.label_space.names))
        if unknown:
            msg = f"no such class: {unknown[0]}. Name some of {', '.join(self.label_space.names)}."
            raise UsageError(msg)
        self.classes, self.keys_file = sorted(classes), Path(keys_file)
        self.image_path, self.target_path = source.image_path, source.target_path
        self.target = source.target

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images that hold all classes.

        Raises:
            UsageError: There is none.
            ReadError: A label file cannot be read.
        """
        every = list(self.source.keys)
        of = {"classes": self.classes, "of": sha256("\n".join(every).encode()).hexdigest()}
        kept = self._kept()
        if {name: kept.get(name) for name in of} != of:
            kept = {**of, "keys": [key for key in self._progress(every) if self._holds_all(key)]}
            write_text(self.keys_file, json.dumps(kept, indent=1) + "\n")
        if not kept["keys"]:
            wanted = " and ".join(self.classes)
            msg = f"none of {len(every)} images holds {wanted}: {self.root}. Name other classes."
            raise UsageError(msg)
        return list(kept["keys"])

    def _progress(self, keys: Sequence[str]) -> Iterable[str]:
        return with_progress(keys, f"images with {' and '.join(self.classes)}", len(keys))

    def _holds_all(self, key: str) -> bool:
        seen = set(self.target(key)[..., 0].unique().tolist())
        return {self.label_space.names.index(name) for name in self.classes} <= seen

    def _kept(self) -> dict[str, Any]:
        """Reads what was kept; empty where the file is not there or is another one."""
        try:
            value = json_of(self.keys_file.read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}
