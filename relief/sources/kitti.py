"""KITTI's segmentation benchmark: frames with the classes and objects of Cityscapes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.label_spaces import CITYSCAPES_19, CITYSCAPES_LABELS
from relief.sources.paired_folders import PairedFolders

_DIVISOR = 256


class KittiSource(PairedFolders):
    """`ROOT/SPLIT/image_2/*.png` and `ROOT/SPLIT/instance/*.png`: label id * 256 + object.

    Object 0 is none: a thing pixel of it is a region without single objects.

    Args:
        root: The folder that holds `training` and `testing`; the latter has no labels.
        split: One of the two.
        has_objects: Without, `semantic` is read, and things are regions without single objects.
    """

    label_space = CITYSCAPES_19
    names = tuple(label.name for label in CITYSCAPES_LABELS)

    def __init__(self, root: str | Path, split: str = "training", has_objects: bool = True) -> None:
        labels = f"{split}/{'instance' if has_objects else 'semantic'}"
        super().__init__(root, f"{split}/image_2", labels, needs_labels=False)
        self.split, self._has_objects = split, has_objects

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes and objects; raises `ReadError`."""
        ids = read_ids(path)
        if not self._has_objects:
            return ids, torch.zeros_like(ids)
        return ids // _DIVISOR, ids % _DIVISOR
