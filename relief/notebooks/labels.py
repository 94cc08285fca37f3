"""Labels in Python: by key, as pictures, as a table of objects, in any format."""

from __future__ import annotations

import importlib
import pkgutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from relief.formats.coco.panoptic import photographs
from relief.formats.images import find_images, read_image
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.ops.resize import resize_image, resize_nearest
from relief.reports.figures.overlay import Picture, as_picture, paint_panoptic, palette_of
from relief.reports.figures.pictures import fit_within
from relief.schema.batch import Failure
from relief.schema.categories import Category, categories_of
from relief.schema.errors import UsageError
from relief.schema.manifest import Manifest
from relief.studies.export import EXPORTS, ExportRequest, export_labels

STORE = "store"
_SHOWN_PX = 640


@dataclass(frozen=True)
class LabelledImage:
    """The labels of one image, as NumPy arrays.

    Attributes:
        key: The image.
        panoptic: (H, W, 2) int64 (category, instance); category -1 = void, instance 0 = none.
        semantic: (H, W) int64 category before objects were found, -1 = void.
        confidence: (H, W) float32 in [0, 1], or `None` where the labeller does not say.
        categories: Names and colours of all categories, in order of id.
        image: (H, W, 3) uint8 RGB, or `None` where the photograph is not at hand.
    """

    key: str
    panoptic: NDArray[np.int64]
    semantic: NDArray[np.int64]
    confidence: NDArray[np.float32] | None
    categories: Sequence[Category]
    image: Picture | None = None

    @property
    def objects(self) -> list[dict[str, Any]]:
        """One row per object: key, instance, category, name, area_px, box x y width height, score.

        The score is the mean confidence of its pixels; `None` where the labeller does not say.
        """
        instance = self.panoptic[..., 1]
        rows = []
        for number in np.unique(instance[instance > 0]).tolist():
            y, x = np.nonzero(instance == number)
            category = int(self.panoptic[y[0], x[0], 0])
            box = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)
            sure = None if self.confidence is None else float(self.confidence[y, x].mean())
            rows.append(
                {
                    "key": self.key,
                    "instance": number,
                    "category": category,
                    "name": self.categories[category]["name"],
                    "area_px": len(x),
                    **dict(zip(("x", "y", "width", "height"), map(int, box), strict=True)),
                    "score": sure,
                }
            )
        return rows

    def overlay(self, longest_px: int | None = None) -> Picture:
        """Paints the labels over the photograph, over gray where there is none.

        Args:
            longest_px: The longer side at most; that of the labels unless given.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        height, width = self.panoptic.shape[:2]
        size = fit_within((height, width), longest_px or max(height, width))
        maps = resize_nearest(_tensor(self.panoptic).permute(2, 0, 1), size).permute(1, 2, 0)
        photo = np.full((*size, 3), 128, dtype=np.uint8)
        if self.image is not None:
            photo = as_picture(resize_image(_tensor(self.image).permute(2, 0, 1)[None], size)[0])
        return paint_panoptic(maps, palette_of([one["color"] for one in self.categories]), photo)


class Labels:
    """Labels of several images, each read when it is asked for.

    Args:
        reader: Gives the maps by key.
        manifest: What made them.
        images: Photographs by key, read when they are needed; those of other keys are not at hand.
        confidence: Gives by key (H, W) in [0, 1], or `None`.
        failures: Images that could not be labelled, with a line each.
        keep: Writes the labels as a store; `None` where they are one, `reader.out`.
    """

    def __init__(
        self,
        reader: LabelReader,
        manifest: Manifest,
        images: Mapping[str, Callable[[], Tensor]],
        confidence: Callable[[str], Tensor | None],
        failures: Sequence[Failure] = (),
        keep: Callable[[Path], None] | None = None,
    ) -> None:
        self.keys = list(reader.keys)
        self.manifest, self.failures = manifest, list(failures)
        self._reader, self._images = reader, images
        self._confidence, self._keep = confidence, keep

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[LabelledImage]:
        return (self[key] for key in self.keys)

    def __getitem__(self, key: str | int) -> LabelledImage:
        """Returns the labels of a key, or of a number in the order of the keys.

        Raises:
            KeyError: There are none of that key.
            IndexError: There are fewer images.
            ReadError: They cannot be read.
        """
        key = self.keys[key] if isinstance(key, int) else key
        if key not in self.keys:
            raise KeyError(key)
        sure, read = self._confidence(key), self._images.get(key)
        return LabelledImage(
            key,
            self._reader.panoptic(key).numpy(),
            self._reader.semantic(key).numpy(),
            None if sure is None else sure.numpy(),
            self.categories,
            None if read is None else as_picture(read()),
        )

    @property
    def categories(self) -> list[Category]:
        """Names and colours of all ids, in order of id: clusters, or classes."""
        return categories_of(self.manifest)

    def objects(self) -> list[dict[str, Any]]:
        """Returns a row for each object of each image; see `LabelledImage.objects`."""
        return [row for image in self for row in image.objects]

    def table(self) -> Any:
        """Returns the objects as a pandas DataFrame.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            msg = "pandas is not installed: table(). Run `pip install pandas`, or use objects()."
            raise UsageError(msg) from error
        return pandas.DataFrame(self.objects())

    def show(self, most: int = 6, columns: int = 2) -> Image.Image:
        """Returns the first overlays side by side; a notebook shows what a cell ends with."""
        pictures = [self[key].overlay(_SHOWN_PX) for key in self.keys[:most]]
        if not pictures:
            raise UsageError("nothing to show: no image has labels. See failures.")
        height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
        columns = min(columns, len(pictures))
        rows = -(-len(pictures) // columns)
        sheet = Image.new("RGB", (columns * width, rows * height))
        for i, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (i % columns * width, i // columns * height))
        return sheet

    def save(self, out: str | Path, format: str = STORE, **options: Any) -> Path:
        """Writes the labels.

        Args:
            out: The folder.
            format: `store`, what label.py writes and everything else reads, or one that
                `evaluate.py export` knows, such as `coco_panoptic`.
            options: Of the export, such as `assignment`.

        Returns:
            The folder.

        Raises:
            UsageError: There is no such format, or the folder holds other labels.
            WriteError: A file cannot be written.
        """
        out = Path(out)
        if self._keep is not None and format == STORE:
            self._keep(out)
        elif self._keep is not None:
            with tempfile.TemporaryDirectory() as folder:
                self._keep(Path(folder))
                _export(Path(folder), out, format, options)
        elif format == STORE:
            raise UsageError(f"these labels are a store already: {self._reader.out}. Copy it.")  # type: ignore[attr-defined]
        else:
            _export(cast(LabelStore, self._reader).out, out, format, options)
        return out


def open_labels(out: str | Path, images: str | Path | None = None) -> Labels:
    """Opens what label.py, or `Labels.save`, wrote: `relief.open`.

    Args:
        out: The label store.
        images: The folder of its photographs, for overlays.

    Raises:
        UsageError: There are no labels, or no such photographs.
    """
    store = LabelStore(Path(out))
    photos: dict[str, Callable[[], Tensor]] = {}
    if images is not None:
        names = photographs(store.out)
        by_key, root = find_images(Path(images), "images"), Path(images)
        paths = {key: root / names[key] if key in names else by_key.get(key) for key in store.keys}
        found = {key: path for key, path in paths.items() if path and path.is_file()}
        photos = {key: partial(read_image, path) for key, path in found.items()}
    failures = [Failure(key=k, reason=reason) for k, reason in store.manifest.failures.items()]
    return Labels(store, store.manifest, photos, store.confidence, failures)


def _export(labels: Path, out: Path, format: str, options: Mapping[str, Any]) -> None:
    if format not in EXPORTS:
        msg = f"unknown format: {format}. Use one of {', '.join(sorted(EXPORTS))}."
        raise UsageError(msg)
    exporter = pkgutil.resolve_name(EXPORTS[format])()
    request = ExportRequest(labels=str(labels), format=exporter, out=str(out), **options)
    export_labels(request)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
