"""Cityscapes, and every data set laid out like it."""

from __future__ import annotations

from datamodules.labelling import LabellingDataModule, OnError
from relief.formats.images import MAX_ASPECT
from relief.schema.parts import DepthReader
from relief.sources.cityscapes import CityscapesSource


class Cityscapes(LabellingDataModule):
    """`ROOT/leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`, ground truth in `ROOT/gtFine` if any.

    Args:
        root: The folder that holds `leftImg8bit`.
        split: What is labelled.
        fit_split: What the codebook is fitted on.
        label_space: `cityscapes19` or `cityscapes27`, for measuring only.
        depth: Reader of precomputed depth.
        batch_size: Images per batch; all must have one size when above 1.
        num_workers: Reading processes per rank.
        on_error: See `LabellingDataModule`.
        observe_split: Where clusters are counted for things, groups and (`oracle_classes`) votes;
            the fit split unless given.
        max_aspect: See `LabellingDataModule`.
    """

    def __init__(
        self,
        root: str,
        split: str = "val",
        fit_split: str = "train",
        label_space: str = "cityscapes19",
        depth: DepthReader | None = None,
        batch_size: int = 1,
        num_workers: int = 0,
        on_error: OnError = "record",
        observe_split: str | None = None,
        max_aspect: float = MAX_ASPECT,
    ) -> None:
        super().__init__(
            CityscapesSource(root, split, label_space),
            CityscapesSource(root, fit_split, label_space),
            CityscapesSource(root, observe_split or fit_split, label_space),
            depth,
            batch_size,
            num_workers,
            on_error,
            max_aspect,
        )
