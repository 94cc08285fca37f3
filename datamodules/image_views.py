"""Square views of images without labels, for a head that learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import Dataset

from datamodules.items import Sample, collate
from datamodules.training_data import TrainingDataModule
from datamodules.training_samples import TrainingImage, TrainingImages
from datamodules.unlabelled_images import source_of_images
from relief.formats.images import read_image
from relief.ops.square_views import SquareViews
from relief.schema.batch import Failure
from relief.schema.errors import reason_of
from relief.schema.ranges import check_at_least
from relief.schema.sources import ImageSource


@dataclass(frozen=True)
class ImageView(TrainingImage):
    """One square of an image.

    Attributes:
        number: Which one.
    """

    number: int


class ViewSet(TrainingImages[Sample]):
    """Squares by index, all of an image one after the other.

    Args:
        items: What there is.
        views: Cuts them.
        keep_in_memory: See `TrainingImages`.
    """

    def __init__(
        self, items: Sequence[TrainingImage], views: SquareViews, keep_in_memory: bool
    ) -> None:
        every = [
            ImageView(item.key, item.image_path, number)
            for item in items
            for number in range(views.count)
        ]
        super().__init__(every, (views.side_px, views.side_px), keep_in_memory)
        self.views = views

    def read(self, item: TrainingImage) -> Sample:
        """The square, or a failure."""
        assert isinstance(item, ImageView)
        try:
            view = self.views.view(read_image(item.image_path), item.number)
        except Exception as error:
            return {"failure": Failure(key=item.key, reason=reason_of(error, item.key))}
        return {"key": f"{item.key}@{item.number}", "image": view}


class ImageViews(TrainingDataModule):
    """Squares of `ROOT/IMAGES/SPLIT` of a Cityscapes tree, or of any images; nothing is measured.

    Args:
        views: Which squares of an image.
        root: The folder that holds `IMAGES`; may be left empty with `folder` or `source`.
        folder: Take the images in it and below it instead.
        source: Take its images instead.
        split: Of the tree.
        images: Name of the folder of images in the tree.
        batch_size: Squares per batch and rank.
        num_workers: Reading processes per rank; 0 reads in the main process.
        seed: Of the order of the squares.
        limit: Take the first so many images by key only.
        keep_in_memory: Read each square once per process; for small sets.
    """

    free_arguments = TrainingDataModule.free_arguments | {"folder"}
    join_samples = staticmethod(collate)

    def __init__(
        self,
        views: SquareViews,
        root: str = "",
        folder: str | None = None,
        source: ImageSource | None = None,
        split: str = "train",
        images: str = "leftImg8bit",
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        limit: int | None = None,
        keep_in_memory: bool = False,
    ) -> None:
        super().__init__(None, "val", "cityscapes19", batch_size, num_workers, seed)
        check_at_least(1, limit=limit)
        self.views, self.limit, self.keep_in_memory = views, limit, keep_in_memory
        self._where = (source, folder, Path(root) if root else None, split, images)
        self._items: Sequence[TrainingImage] = ()

    def setup(self, stage: str) -> None:
        """Finds the images.

        Raises:
            UsageError: There are none; the message says where and for what was looked.
        """
        if stage == "fit" and not self._items:
            source = source_of_images(*self._where)
            found = [TrainingImage(key, source.image_path(key)) for key in source.keys]
            self._items = found[: self.limit]

    @property
    def items(self) -> Sequence[TrainingImage]:
        """The images."""
        return self._items

    def training_set(self) -> Dataset[Sample]:
        """The squares."""
        return ViewSet(self._items, self.views, self.keep_in_memory)
