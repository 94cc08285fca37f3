"""Cityscapes ground truth as labels: the ceiling of what training on labels can reach."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relief.formats.cityscapes import CityscapesLabels
from relief.schema.label_spaces import label_space as find_label_space


class GroundTruthLabels(CityscapesLabels):
    """`ROOT/gtFine/SPLIT` in the words of labels; training on it is supervised and says so.

    Args:
        root: The folder that holds `gtFine`.
        split: `train` or `val`.
        label_space: `cityscapes19` or `cityscapes27`.
    """

    def __init__(self, root: Path, split: str = "train", label_space: str = "cityscapes19") -> None:
        super().__init__(Path(root), split, find_label_space(label_space))

    @property
    def supervision(self) -> tuple[str, ...]:
        """Which ground truth these labels are, one sentence."""
        return (f"labels: ground truth of {self.ids.folder.name} ({self.space.name})",)

    @property
    def classes(self) -> str:
        """The label space of the ids, as a manifest names it."""
        return self.space.name

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (class, instance), instances numbered 1..N within the image.

        Raises:
            ReadError: The file cannot be read.
        """
        category, instance = super().panoptic(key).unbind(-1)
        largest = int(instance.max()) + 1
        code = torch.where(instance > 0, category * largest + instance, 0)
        ids, position = code.unique(return_inverse=True)
        numbered = position + (1 if int(ids[0]) > 0 else 0)
        return torch.stack((category, torch.where(instance > 0, numbered, 0)), dim=-1)
