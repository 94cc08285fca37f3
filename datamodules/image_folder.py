"""Any folder of photographs."""

from __future__ import annotations

from datamodules.labelling import LabellingDataModule, OnError
from relief.formats.images import MAX_ASPECT
from relief.schema.parts import DepthReader
from relief.sources.image_folder import ImageFolderSource


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
        super().__init__(
            ImageFolderSource(root),
            depth=depth,
            num_workers=num_workers,
            on_error=on_error,
            max_aspect=max_aspect,
        )
