"""Images without labels for self-training; ground truth beside images, for measuring only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from datamodules.items import collate
from datamodules.training_data import TrainingDataModule
from datamodules.training_samples import BareImages, TrainingImage
from relief.formats.reader import LabelReader
from relief.ops.self_training.class_balanced_sampling import image_probabilities
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError
from relief.schema.ranges import check_at_least
from relief.schema.sources import ImageSource
from relief.sources.cityscapes import CityscapesSource
from relief.sources.image_folder import ImageFolderSource


class UnlabelledImages(TrainingDataModule):
    """`ROOT/IMAGES/SPLIT` of a Cityscapes tree, or any folder of photographs; no labels are read.

    Images of another shape than `size` lose their borders, nothing is stretched.

    Args:
        root: The folder that holds `IMAGES`, and `leftImg8bit` and `gtFine` for the validation;
            may be left empty with `folder`, then nothing is measured.
        folder: Train on the images in it and below it instead of `ROOT/IMAGES/SPLIT`.
        size: (height, width) to which images are brought for training.
        split: What is trained on.
        images: Name of the folder of training images; `leftImg8bit_sequence` for all frames.
        val_split: What is measured on, with its ground truth.
        label_space: `cityscapes19` or `cityscapes27`, for measuring only.
        batch_size: Training images per batch and rank.
        num_workers: Reading processes per rank; 0 reads in the main process.
        seed: Of the order of the images.
        limit: Train on the first so many by key only.
        keep_in_memory: Read each training image once per process; for small sets.
        source: Train on its images instead.
        validation: Measure on it instead of on the Cityscapes tree at `root`.
        balanced_by: Labels of these images as a network predicts them, such as the store that
            label.py writes: images are drawn for one category after the other, by how much of it
            they hold.
        validation_share: See `TrainingDataModule`.
        decode_at_size: Decode a JPEG of at least twice `size` at the fraction that is enough: less
            time, and pixels that differ slightly from those of the whole resized.
    """

    free_arguments = TrainingDataModule.free_arguments | {"folder"}
    join_samples = staticmethod(collate)

    def __init__(
        self,
        root: str = "",
        folder: str | None = None,
        size: tuple[int, int] = (1024, 2048),
        split: str = "train",
        images: str = "leftImg8bit",
        val_split: str = "val",
        label_space: str = "cityscapes19",
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        limit: int | None = None,
        keep_in_memory: bool = False,
        source: ImageSource | None = None,
        validation: ImageSource | None = None,
        balanced_by: LabelReader | None = None,
        validation_share: float = 1.0,
        decode_at_size: bool = False,
    ) -> None:
        measured = Path(root) if root else None
        super().__init__(
            *(measured, val_split, label_space, batch_size, num_workers, seed),
            validation=validation,
            validation_share=validation_share,
        )
        self.source, self.balanced_by = source, balanced_by
        self.folder = Path(folder) if folder else None
        self.size, self.split, self.training_images = size, split, images
        check_at_least(1, limit=limit)
        self.limit, self.keep_in_memory = limit, keep_in_memory
        self.decode_at_size = decode_at_size
        self._items: Sequence[TrainingImage] = ()

    def setup(self, stage: str) -> None:
        """Finds the training images.

        Raises:
            UsageError: There are none; the message says where and for what was looked.
        """
        if stage == "fit" and not self._items:
            self._items = self._find()[: self.limit]

    def _find(self) -> list[TrainingImage]:
        where = (self.source, self.folder, self.root, self.split, self.training_images)
        source = source_of_images(*where)
        return [TrainingImage(key, source.image_path(key)) for key in source.keys]

    @property
    def items(self) -> Sequence[TrainingImage]:
        """The images."""
        return self._items

    def sampling(self) -> Tensor | None:
        """Counts predicted pixels of each category in each image, where predictions are given.

        Raises:
            UsageError: An image has no predictions.
            ReadError: They cannot be read.
        """
        labels = self.balanced_by
        if labels is None:
            return None
        keys, predicted = [item.key for item in self._items], set(labels.keys)
        missing = [key for key in keys if key not in predicted]
        if missing:
            msg = (
                f"{len(missing)} of {len(keys)} images have no predictions in balanced_by "
                f"(the first is {missing[0]}). Label all of them first."
            )
            raise UsageError(msg)
        number = labels.num_categories
        maps = (labels.semantic(key) for key in with_progress(keys, "predictions", len(keys)))
        pixels = [torch.bincount(ids[ids >= 0], minlength=number) for ids in maps]
        return image_probabilities(torch.stack(pixels))

    def training_set(self) -> BareImages:
        """The images at one size."""
        return BareImages(self._items, self.size, self.keep_in_memory, self.decode_at_size)


def source_of_images(
    source: ImageSource | None,
    folder: Path | str | None,
    root: Path | None,
    split: str,
    images: str,
) -> ImageSource:
    """Returns the source that was given, else that of a folder, else that of a Cityscapes tree.

    Raises:
        UsageError: Nothing was given.
    """
    if source is not None:
        return source
    if folder is not None:
        return ImageFolderSource(folder, "data.folder")
    if root is None:
        msg = "no images given: data.root is empty. Add --data.init_args.root DIR."
        raise UsageError(msg)
    return CityscapesSource(str(root), split, images=images)
