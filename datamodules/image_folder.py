"""Any folder of photographs."""

from __future__ import annotations

import os
from pathlib import Path

from datamodules.items import Item
from datamodules.labelling import LabellingDataModule, OnError
from relief.formats.images import MAX_ASPECT, find_images
from relief.schema.errors import UsageError
from relief.schema.parts import DepthReader


class ImageFolder(LabellingDataModule):
    """Images of any sizes in any nested folder; the codebook is fitted on the folder itself.

    Args:
        root: The folder. Left empty, the run stops with the option to type.
        depth: Reader of precomputed depth that mirrors the folder.
        num_workers: Reading processes per rank.
        on_error: See `LabellingDataModule`.
        max_aspect: See `LabellingDataModule`.
    """

    def __init__(
        self,
        root: str = "",
        depth: DepthReader | None = None,
        num_workers: int = 0,
        on_error: OnError = "record",
        max_aspect: float = MAX_ASPECT,
    ) -> None:
        super().__init__(depth, 1, num_workers, on_error, max_aspect)
        self.root = Path(root) if root else None
        self.split = self.fit_split = self.observe_split = ""

    def items(self, split: str) -> list[Item]:
        """The images of the folder, sorted by key."""
        del split  # a folder has none: the codebook is fitted on what is labelled
        if self.root is None:
            msg = "no folder given: data.root is empty. Add --data.init_args.root DIR."
            raise UsageError(msg)
        images = sorted(find_images(self.root).items())
        depth = {key: self._depth_of(key, path) for key, path in images}
        # Depth may lie beside the photographs: `a.png` beside `a.jpg` is no photograph then.
        depth_files = {os.path.realpath(found) for found in depth.values() if found}
        return [
            Item(key, path, path.relative_to(self.root).as_posix(), depth[key])
            for key, path in images
            if os.path.realpath(path) not in depth_files
        ]

    def _depth_of(self, key: str, path: Path) -> str | None:
        found = self.depth.find("", key) if self.depth else None
        is_itself = found is not None and os.path.realpath(found) == os.path.realpath(path)
        return None if is_itself else found
