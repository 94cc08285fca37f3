"""YOLO segmentation: a text file for each image, a polygon for each object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from relief.formats.exports.exporter import ExportedImage, ExportedLabels, Exporter
from relief.formats.files.atomic import write_text
from relief.formats.reader import path_of_key
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import joined_polygon, mask_polygons

_SPLITS = ("train", "val", "test")


class YoloSegmentation(Exporter):
    """Writes things as OUT/labels/SPLIT/KEY.txt, photographs beside them, and OUT/data.yaml.

    A line is a class and the corners of one polygon, as shares of width and height; parts of one
    object are joined by cuts without width. Other splits in the same folder stay in data.yaml.

    Args:
        tolerance_px: How far a border may move to need fewer corners.
        with_scores: Whether a line ends with the object's score, as predictions do; trainings take
            no such files.
    """

    def __init__(self, tolerance_px: float = 1.0, with_scores: bool = False) -> None:
        self.tolerance_px = tolerance_px
        self.with_scores = with_scores

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        number_of = {category["id"]: i for i, category in enumerate(exported.things)}
        labels, images = out / "labels" / exported.split, out / "images" / exported.split
        for image in exported.images("YOLO", stuff=False):
            lines = "".join(f"{line}\n" for line in self._lines(image, number_of))
            write_text(path_of_key(labels, image.key, ".txt"), lines)
            suffix = PurePosixPath(image.file_name).suffix
            exported.copy_photograph(image.key, path_of_key(images, image.key, suffix))
        write_text(out / "data.yaml", _data_yaml(out, exported))

    def _lines(self, image: ExportedImage, number_of: dict[int, int]) -> Iterator[str]:
        regions = image.regions
        height, width = regions.size
        for i, mask in enumerate(regions.masks or ()):
            polygon = joined_polygon(mask_polygons(decoded(mask), self.tolerance_px))
            shares = (polygon / (width, height)).reshape(-1)
            score = [regions.scores[i]] if self.with_scores else []
            numbers = (f"{value:.6g}" for value in [*shares, *score])
            yield " ".join((str(number_of[int(regions.category[i])]), *numbers))


def _data_yaml(out: Path, exported: ExportedLabels) -> str:
    found = [name for name in _SPLITS if (out / "labels" / name).is_dir()]
    splits = list(dict.fromkeys((*found, exported.split)))
    # A training needs both: what is missing is the split there is.
    folders = {
        name: f"images/{name if name in splits else splits[0]}"
        for name in dict.fromkeys(("train", "val", *splits))
    }
    content = {
        **folders,
        "names": {i: category["name"] for i, category in enumerate(exported.things)},
        "supervision": list(exported.supervision),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
