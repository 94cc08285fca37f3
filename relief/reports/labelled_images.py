"""A label store beside the photographs that it labels, for pages about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from relief.formats.coco.panoptic import photographs
from relief.formats.images import read_image
from relief.formats.label_store import LabelStore
from relief.formats.reader import path_of_key, refuse_other_shape
from relief.reports.figures.overlay import as_picture
from relief.reports.figures.pictures import resized
from relief.schema.categories import Category, class_categories, cluster_categories
from relief.schema.errors import UsageError
from relief.schema.label_spaces import label_space


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
        self.store, self.root = LabelStore(Path(labels)), Path(root)
        if self.store.manifest.thing_ids is None or not self.store.keys:
            msg = f"labels are not finished: {labels}. Run the same label.py command again."
            raise UsageError(msg)
        if not self.root.is_dir():
            msg = f"no folder of photographs: {root}. Give the one that was labelled."
            raise UsageError(msg)

    @cached_property
    def _file_names(self) -> dict[str, str]:
        return photographs(self.store.out)

    @cached_property
    def categories(self) -> list[Category]:
        """Names, colours and kinds of all ids, in order of id."""
        store = self.store
        if store.manifest.classes is not None:
            return class_categories(label_space(store.manifest.classes))
        return cluster_categories(store.num_categories, store.thing_ids or ())

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
