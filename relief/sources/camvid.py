"""CamVid: frames of a drive through Cambridge, with 11 classes or all 32, without objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.label_png import read_ids, read_rgb
from relief.schema.errors import ReadError
from relief.schema.label_spaces import Label, LabelSpace
from relief.sources.paired_folders import PairedFolders

_GROUPED = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("pavement", (60, 40, 222)),
    ("tree", (128, 128, 0)),
    ("sign symbol", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)
_ALL = (
    ("animal", (64, 128, 64)),
    ("archway", (192, 0, 128)),
    ("bicyclist", (0, 128, 192)),
    ("bridge", (0, 128, 64)),
    ("building", (128, 0, 0)),
    ("car", (64, 0, 128)),
    ("cart, luggage, pram", (64, 0, 192)),
    ("child", (192, 128, 64)),
    ("column, pole", (192, 192, 128)),
    ("fence", (64, 64, 128)),
    ("lane marking, driven on", (128, 0, 192)),
    ("lane marking, not driven on", (192, 0, 64)),
    ("text", (128, 128, 64)),
    ("motorcycle, scooter", (192, 0, 192)),
    ("other moving", (128, 64, 64)),
    ("parking block", (64, 192, 128)),
    ("pedestrian", (64, 64, 0)),
    ("road", (128, 64, 128)),
    ("road shoulder", (128, 128, 192)),
    ("sidewalk", (0, 0, 192)),
    ("sign symbol", (192, 128, 128)),
    ("sky", (128, 128, 128)),
    ("SUV, pickup truck", (64, 128, 192)),
    ("traffic cone", (0, 0, 64)),
    ("traffic light", (0, 64, 64)),
    ("train", (192, 64, 128)),
    ("tree", (128, 128, 0)),
    ("truck, bus", (192, 128, 192)),
    ("tunnel", (64, 0, 64)),
    ("vegetation", (192, 192, 0)),
    ("void", (0, 0, 0)),
    ("wall", (64, 192, 0)),
)
_MOVING = (
    *("car", "pedestrian", "bicyclist"),
    *("animal", "cart, luggage, pram", "child", "motorcycle, scooter", "other moving"),
    *("SUV, pickup truck", "train", "truck, bus"),
)


def _space(name: str, table: tuple[tuple[str, tuple[int, int, int]], ...]) -> LabelSpace:
    return LabelSpace(
        name,
        tuple(
            Label(number, label, color, is_thing=label in _MOVING)
            for number, (label, color) in enumerate(table)
            if label != "void"
        ),
    )


class CamVid11Source(PairedFolders):
    """`ROOT/SPLIT/*.png` and `ROOT/SPLITannot/*.png`: ids of 11 classes, then void.

    Args:
        root: The folder that holds both.
        split: `train`, `val` or `test`.
    """

    label_space = _space("camvid11", _GROUPED)
    names = (*label_space.names, "void")

    def __init__(self, root: str | Path, split: str = "test") -> None:
        super().__init__(root, split, f"{split}annot")
        self.split = split

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes, and no objects; raises `ReadError`."""
        ids = read_ids(path)
        return ids, torch.zeros_like(ids)


class CamVid32Source(PairedFolders):
    """`ROOT/701_StillsRaw_full/KEY.png` and `ROOT/LabeledApproved_full/KEY_L.png`, as published.

    The classes are colours; black is void.

    Args:
        root: The folder that holds both.
        images: Name of the folder of images.
        labels: Name of the folder of labels.
    """

    label_space = _space("camvid32", _ALL)
    names = tuple(name for name, _ in _ALL)

    def __init__(
        self,
        root: str | Path,
        images: str = "701_StillsRaw_full",
        labels: str = "LabeledApproved_full",
    ) -> None:
        super().__init__(root, images, labels, label_ending="_L.png")

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes, and no objects; raises `ReadError`, for unknown colours too."""
        codes = read_rgb(path).astype(np.int64) @ [1 << 16, 1 << 8, 1]
        known = np.array([(r << 16) + (g << 8) + b for _, (r, g, b) in _ALL])
        order = known.argsort()
        place = np.searchsorted(known[order], codes).clip(max=len(known) - 1)
        ids = order[place]
        strange = codes[known[ids] != codes]
        if strange.size:
            msg = (
                f"labels have unknown colours: {path} (#{int(strange[0]):06x}). "
                "Unpack the file again, or leave its image out."
            )
            raise ReadError(msg)
        return torch.from_numpy(ids), torch.zeros(ids.shape, dtype=torch.int64)
