"""BDD100K: frames of dashboard cameras with the 19 classes of Cityscapes, without objects."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.paired_folders import PairedFolders

_VOID = 255


class Bdd100kSource(PairedFolders):
    """`ROOT/images/10k/SPLIT/*.jpg` and `ROOT/labels/sem_seg/masks/SPLIT/*.png`: class ids.

    Args:
        root: The folder that holds `images` and `labels`.
        split: `train`, `val`, or `test`, which has no labels.
    """

    label_space = CITYSCAPES_19
    names = (*CITYSCAPES_19.names, "void")

    def __init__(self, root: str | Path, split: str = "val") -> None:
        folders = (f"images/10k/{split}", f"labels/sem_seg/masks/{split}")
        super().__init__(root, *folders, image_ending=".jpg", needs_labels=False)
        self.split = split

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes, and no objects; raises `ReadError`."""
        ids = read_ids(path)
        ids = torch.where(ids == _VOID, self.label_space.num_classes, ids)
        return ids, torch.zeros_like(ids)
