"""Penn-Fudan: photographs of streets in which persons are labelled one by one, and nothing else."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.label_spaces import Label, LabelSpace
from relief.sources.paired_folders import PairedFolders


class PennFudanSource(PairedFolders):
    """`ROOT/PNGImages/KEY.png` and `ROOT/PedMasks/KEY_mask.png`: 0, or the number of a person.

    What is no person is one class, `background`.

    Args:
        root: The folder that holds both.
    """

    label_space = LabelSpace(
        "pennfudan",
        (Label(0, "background", (90, 90, 90)), Label(1, "person", (220, 20, 60), is_thing=True)),
    )
    names = label_space.names

    def __init__(self, root: str | Path) -> None:
        super().__init__(root, "PNGImages", "PedMasks", label_ending="_mask.png")

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads persons and background; raises `ReadError`."""
        number = read_ids(path)
        return (number > 0).long(), number
