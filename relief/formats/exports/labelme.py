"""LabelMe: a JSON beside each photograph, a polygon for each part of a region."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from relief.formats.exports.corrections import (
    CorrectedRegion,
    Corrections,
    readable,
    same_size,
)
from relief.formats.exports.exporter import ExportedImage, ExportedLabels, Exporter
from relief.formats.files.atomic import write_text
from relief.formats.reader import path_of_key
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import mask_polygons, polygon_mask
from relief.schema.errors import UsageError
from relief.schema.instances import Rle
from relief.schema.plain_text import json_of

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


class LabelMeCorrections(Corrections):
    """Reads files of LabelMe: polygons, rectangles and masks; one group is one object.

    Args:
        path: The folder of KEY.json files.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def keys(self, file_names: Mapping[str, str]) -> list[str]:
        """Returns the images that have a file, as `Corrections.keys`."""
        keys = sorted(key for key in file_names if self._file(key).is_file())
        if not keys:
            msg = f"no corrections: {self.path} has no KEY.json of the labels. Check the folder."
            raise UsageError(msg)
        return keys

    def regions(self, key: str, size: tuple[int, int]) -> list[CorrectedRegion]:
        """Returns the regions of an image, as `Corrections.regions`."""
        path = self._file(key)
        return readable(key, path, lambda: _regions(json_of(path.read_bytes()), size))

    def _file(self, key: str) -> Path:
        return path_of_key(self.path, key, ".json")


def _regions(content: dict[str, Any], size: tuple[int, int]) -> list[CorrectedRegion]:
    same_size(size, content["imageHeight"], content["imageWidth"])
    parts: dict[tuple[str, Any], list[Rle]] = {}
    for i, shape in enumerate(content["shapes"]):
        group = shape.get("group_id")
        name = (str(shape["label"]), f"alone {i}" if group is None else group)
        parts.setdefault(name, []).append(_mask(shape, size))
    regions = []
    for (label, _), masks in parts.items():
        merged = coco_mask.merge(masks)
        regions.append(CorrectedRegion(label, Rle(size=list(size), counts=merged["counts"])))
    return regions


def _mask(shape: dict[str, Any], size: tuple[int, int]) -> Rle:
    points = np.asarray(shape["points"], dtype=np.float64).reshape(-1, 2)
    kind = shape.get("shape_type", "polygon")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        points, kind = np.array(((x0, y0), (x1, y0), (x1, y1), (x0, y1))), "polygon"
    if kind == "polygon":
        return polygon_mask([points], size)
    if kind != "mask":
        msg = f"a shape of kind {kind}, expected polygons, rectangles or masks"
        raise ValueError(msg)
    left, top = points[0].round().astype(int)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) > 0
    whole = np.zeros(size, dtype=np.uint8, order="F")
    room = whole[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    room[:] = pixels[: room.shape[0], : room.shape[1]]
    return Rle(size=list(size), counts=coco_mask.encode(whole)["counts"])
