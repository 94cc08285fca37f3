"""A label store beside the photographs that it labels, for pages about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from relief.formats.coco.panoptic import photographs
from relief.formats.images import read_image
from relief.formats.label_store import finished_store
from relief.formats.reader import path_of_key, refuse_other_shape
from relief.reports.figures.overlay import as_picture
from relief.reports.figures.pictures import resized
from relief.schema.categories import Category, categories_of
from relief.schema.errors import UsageError


@dataclass(frozen=True)
class PageRequest:
    """Names labels that a page is about, and where it goes.

    Args:
        labels: The label store.
        photographs: The folder that was labelled.
        out: Where the page goes.
    """

    labels: str
    photographs: str
    out: str

    @property
    def folder(self) -> Path:
        """Where the page goes."""
        return Path(self.out)


class LabelledImages:
    """Labels and photographs by key.

    Args:
        labels: The label store.
        root: The folder that was labelled.

    Raises:
        UsageError: There is no finished store, or no such folder.
    """

    def __init__(self, labels: str, root: str) -> None:
        self.store, self.root = finished_store(Path(labels)), Path(root)
        if not self.root.is_dir():
            msg = f"no folder of photographs: {root}. Give the one that was labelled."
            raise UsageError(msg)

    @cached_property
    def _file_names(self) -> dict[str, str]:
        return photographs(self.store.out)

    @cached_property
    def categories(self) -> list[Category]:
        """Names, colours and kinds of all ids, in order of id."""
        return categories_of(self.store.manifest)

    def photograph(self, key: str) -> Tensor:
        """Returns (3, H, W) uint8 at the size of the labels.

        Raises:
            ReadError: It cannot be read, or has another shape than its labels.
        """
        name = self._file_names.get(key, f"{key}.png")
        image = read_image(path_of_key(self.root, name, ""))
        size = self.store.semantic(key).shape
        refuse_other_shape(key, image.shape[1:], size)
        picture = resized(as_picture(image), (size[0], size[1]))
        return torch.from_numpy(picture).permute(2, 0, 1)
