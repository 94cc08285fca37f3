"""Cityscapes, and every data set laid out like it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datamodules.items import Item
from datamodules.labelling import LabellingDataModule, OnError
from relief.formats.cityscapes import CityscapesTree
from relief.formats.images import MAX_ASPECT
from relief.schema.label_spaces import label_space as find_label_space
from relief.schema.parts import DepthReader


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
        super().__init__(depth, batch_size, num_workers, on_error, max_aspect)
        self.root = Path(root)
        self.split = split
        self.fit_split = fit_split
        self.observe_split = observe_split or fit_split
        self.label_space = find_label_space(label_space)

    def tree(self, split: str) -> CityscapesTree:
        """The files of a split."""
        return CityscapesTree(self.root, split)

    def ground_truth(self) -> CityscapesTree | None:
        """The files of the labelled split, when it has ground truth."""
        tree = self.tree(self.split)
        return tree if tree.has_ground_truth else None

    def items(self, split: str) -> list[Item]:
        """The items of a split, sorted by key."""
        tree = self.tree(split)
        return [
            Item(
                key=key,
                image_path=tree.image_path(key),
                file_name=tree.image_path(key).relative_to(self.root).as_posix(),
                depth_path=self.depth.find(split, key) if self.depth else None,
                target=partial(tree.target, key, self.label_space),
            )
            for key in tree.keys
        ]
