"""Any folder of photographs."""

from __future__ import annotations

from pathlib import Path

from datamodules.labelling import Item, LabellingDataModule
from relief.formats.images import find_images
from relief.schema.errors import UsageError
from relief.schema.parts import DepthReader


class ImageFolder(LabellingDataModule):
    """Images of any sizes in any nested folder; the codebook is fitted on the folder itself.

    Args:
        root: The folder. Left empty, the run stops with the option to type.
        depth: Reader of precomputed depth that mirrors the folder.
        num_workers: Reading processes per rank.
    """

    def __init__(
        self, root: str = "", depth: DepthReader | None = None, num_workers: int = 0
    ) -> None:
        super().__init__(depth, batch_size=1, num_workers=num_workers)
        self.root = Path(root) if root else None
        self.split = self.fit_split = "folder"

    def items(self, split: str) -> list[Item]:
        """The images of the folder, sorted by key."""
        if self.root is None:
            msg = "no folder given: data.root is empty. Add --data.init_args.root DIR."
            raise UsageError(msg)
        return [
            Item(key, path, self.depth.find(split, key) if self.depth else None)
            for key, path in sorted(find_images(self.root).items())
        ]
