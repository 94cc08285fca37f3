"""GTA5 ("Playing for Data"): frames of a game with the classes of Cityscapes, without objects."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.label_spaces import CITYSCAPES_19, CITYSCAPES_LABELS
from relief.sources.paired_folders import PairedFolders


class Gta5Source(PairedFolders):
    """`ROOT/images/*.png` and `ROOT/labels/*.png`: Cityscapes ids as indices of a palette.

    Objects are not told apart: all pixels of a thing class are a region of it. Some images have
    another size than the others.

    Args:
        root: The folder that holds `images` and `labels`.
    """

    label_space = CITYSCAPES_19
    names = (*(label.name for label in CITYSCAPES_LABELS), "license plate")

    def __init__(self, root: str | Path) -> None:
        super().__init__(root, "images", "labels")

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes, and no objects; raises `ReadError`."""
        ids = read_ids(path)
        return ids, torch.zeros_like(ids)
