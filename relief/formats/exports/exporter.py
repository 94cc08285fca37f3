"""The seam of exports: labels as they are given to one, and the class to derive it from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.formats.reader import LabelReader, path_of_key
from relief.ops.objects.instance_masks import panoptic_instances
from relief.processes.progress import with_progress
from relief.schema.categories import Category
from relief.schema.errors import ReadError
from relief.schema.instances import ImageInstances
from relief.schema.label_spaces import LabelSpace
from relief.schema.manifest import Manifest


class ExportedImage(NamedTuple):
    """An image as it is exported: its key, the name of its photograph, what is on it."""

    key: str
    file_name: str
    regions: ImageInstances


@dataclass(frozen=True)
class ExportedLabels:
    """Labels as they are exported.

    Attributes:
        labels: The labels, in the ids that are written.
        categories: Of all these ids, in order of id.
        manifest: Of the label store they come from.
        space: The classes, where the ids are classes.
        confidence: Gives by key (H, W) in [0, 1], or `None` where nobody said.
        file_names: File name of the photograph by key; `KEY.png` where it is not known.
        supervision: What labels and names depended on, one sentence each.
        photographs: Folder of the photographs, where they are to be copied along.
        split: Name of the split.
    """

    labels: LabelReader
    categories: Sequence[Category]
    manifest: Manifest
    space: LabelSpace | None = None
    confidence: Callable[[str], Tensor | None] = lambda key: None  # noqa: ARG005
    file_names: Mapping[str, str] = field(default_factory=dict)
    supervision: Sequence[str] = ()
    photographs: Path | None = None
    split: str = "val"

    @cached_property
    def things(self) -> list[Category]:
        """Categories that come as single objects."""
        return [category for category in self.categories if category["isthing"]]

    def file_name(self, key: str) -> str:
        """Returns the name of the photograph of a key, below the folder of the photographs."""
        return self.file_names.get(key, f"{key}.png")

    def images(self, name: str, *, stuff: bool) -> Iterator[ExportedImage]:
        """Yields image after image in order of key.

        Objects have the mean confidence of their pixels as score, 1 where nobody said how sure
        the labels are; thing pixels without an instance are in no region.

        Args:
            name: Of the format, for the progress bar.
            stuff: Whether regions of stuff are listed too, before the objects.

        Raises:
            ReadError: Labels of an image cannot be read.
        """
        things = [category["id"] for category in self.things]
        ids = [category["id"] for category in self.categories] if stuff else things
        for key in with_progress(self.labels.keys, name, len(self.labels.keys)):
            panoptic, confidence = self.labels.panoptic(key), self.confidence(key)
            regions = panoptic_instances(panoptic, ids, confidence, has_crowds=stuff)
            is_stuff = ~np.isin(regions.category, things)
            objects = ~is_stuff & ~regions.crowd
            order = np.concatenate((is_stuff.nonzero()[0], objects.nonzero()[0]))
            yield ExportedImage(key, self.file_name(key), regions.at(order))

    def photograph(self, key: str) -> bytes | None:
        """Returns the file of a photograph, `None` where none are to be copied along.

        Raises:
            ReadError: It cannot be read.
        """
        if self.photographs is None:
            return None
        source = path_of_key(self.photographs, self.file_name(key), "")
        try:
            return source.read_bytes()
        except OSError as error:
            told = error.strerror or str(error)
            msg = f"cannot read photograph: {source} ({told}). Check --photographs."
            raise ReadError(msg) from error

    def copy_photograph(self, key: str, path: Path) -> None:
        """Copies the photograph of a key, where photographs are to be copied.

        Raises:
            ReadError: It cannot be read.
            WriteError: It cannot be written.
        """
        content = self.photograph(key)
        if content is not None:
            write_bytes(path, content)


class Exporter(ABC):
    """A format that labels are written in. One more is one file: its class path is its name."""

    @abstractmethod
    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels below OUT, image by image.

        Raises:
            UsageError: Labels like these cannot be told in this format.
            ReadError: Labels of an image cannot be read.
            WriteError: A file cannot be written.
        """
