"""SYNTHIA-RAND-CITYSCAPES: synthetic streets with the classes and objects of Cityscapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.label_png import read_rgb_16_bit
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.paired_folders import PairedFolders


class SynthiaSource(PairedFolders):
    """`ROOT/RGB/*.png` and `ROOT/GT/LABELS/*.png`, 16-bit RGB: red is the class, green the object.

    Its files label no terrain, truck or train. Objects of such vehicles have numbers in the green
    channel all the same, on pixels of no thing class: they are no objects here, for nobody can
    tell which they are. A thing pixel of object 0 is a region without single objects.

    Args:
        root: The folder that holds `RGB` and `GT`.
    """

    label_space = CITYSCAPES_19.without(("terrain", "truck", "train"))
    names = (
        *("void", "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car"),
        *("traffic sign", "person", "bicycle", "motorcycle", "parking slot", "road work"),
        *("traffic light", "terrain", "rider", "truck", "bus", "train", "wall", "lane marking"),
    )

    def __init__(self, root: str | Path) -> None:
        super().__init__(root, "RGB", "GT/LABELS")

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes and objects; raises `ReadError`."""
        numbers = torch.from_numpy(read_rgb_16_bit(path).astype(np.int64))
        return numbers[..., 0], numbers[..., 1]
