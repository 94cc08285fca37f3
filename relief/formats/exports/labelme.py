"""LabelMe: a JSON beside each photograph, a polygon for each part of a region."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from relief.formats.exports.exporter import ExportedImage, ExportedLabels, Exporter
from relief.formats.files.atomic import write_text
from relief.formats.reader import path_of_key
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import mask_polygons

_VERSION = "5.5.0"


class LabelMe(Exporter):
    """Writes OUT/KEY.json, and the photograph beside it.

    Regions of stuff come first, objects lie above them. Parts of one object share its `group_id`;
    its `score` is kept by the tool, which does not show it.

    Args:
        tolerance_px: How far a border may move to need fewer corners.
        stuff: Whether regions of stuff are written too.
    """

    def __init__(self, tolerance_px: float = 0.7, stuff: bool = True) -> None:
        self.tolerance_px = tolerance_px
        self.stuff = stuff

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        names = {category["id"]: category["name"] for category in exported.categories}
        for image in exported.images("LabelMe", stuff=self.stuff):
            height, width = image.regions.size
            suffix = PurePosixPath(image.file_name).suffix
            photograph = path_of_key(out, image.key, suffix)
            exported.copy_photograph(image.key, photograph)
            content: dict[str, Any] = {
                "version": _VERSION,
                "flags": {},
                "shapes": list(self._shapes(image, names)),
                "imagePath": photograph.name,
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
                "supervision": list(exported.supervision),
            }
            text = json.dumps(content, indent=1, ensure_ascii=False)
            write_text(path_of_key(out, image.key, ".json"), f"{text}\n")

    def _shapes(self, image: ExportedImage, names: dict[int, str]) -> Iterator[dict[str, Any]]:
        regions, number = image.regions, 0
        for i, mask in enumerate(regions.masks or ()):
            is_object = not regions.crowd[i]
            number += is_object
            for polygon in mask_polygons(decoded(mask), self.tolerance_px):
                yield {
                    "label": names[int(regions.category[i])],
                    "points": polygon.tolist(),
                    "group_id": number if is_object else None,
                    "description": "",
                    "shape_type": "polygon",
                    "flags": {},
                    "mask": None,
                    "score": round(float(regions.scores[i]), 4),
                }
