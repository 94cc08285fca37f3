"""Label Studio: tasks with our labels as pre-annotations, and the labelling interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from relief.formats.exports.corrections import (
    CorrectedRegion,
    Corrections,
    readable,
    same_size,
)
from relief.formats.exports.exporter import ExportedImage, ExportedLabels, Exporter
from relief.formats.files.atomic import whole_file, write_text
from relief.formats.reader import path_of_key
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import joined_polygon, mask_polygons, polygon_mask
from relief.schema.categories import Category
from relief.schema.errors import UsageError
from relief.schema.plain_text import json_of

TASKS = "tasks.json"
INTERFACE = "interface.xml"
MODEL = "relief"
_PERCENT = 100


class LabelStudio(Exporter):
    """Writes OUT/tasks.json to import, OUT/interface.xml to set up the project with.

    A region is one polygon, its parts joined by cuts without width: what a person corrects stays
    one object. Regions of stuff come first, objects lie above them.

    Args:
        address: What Label Studio finds photographs by: it stands before their names.
        tolerance_px: How far a border may move to need fewer corners.
        stuff: Whether regions of stuff are written too.
    """

    def __init__(
        self,
        address: str = "/data/local-files/?d=",
        tolerance_px: float = 0.7,
        stuff: bool = True,
    ) -> None:
        self.address = address
        self.tolerance_px = tolerance_px
        self.stuff = stuff

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        names = {category["id"]: category["name"] for category in exported.categories}
        used = exported.categories if self.stuff else exported.things
        write_text(out / INTERFACE, _interface(used))
        with whole_file(out / TASKS) as file:
            opening = "["
            for image in exported.images("Label Studio", stuff=self.stuff):
                photograph = path_of_key(out / "images", image.file_name, "")
                exported.copy_photograph(image.key, photograph)
                task = self._task(image, names, exported.supervision)
                file.write(f"{opening}\n{json.dumps(task, ensure_ascii=False)}".encode())
                opening = ","
            file.write(b"[]\n" if opening == "[" else b"\n]\n")

    def _task(
        self, image: ExportedImage, names: dict[int, str], supervision: Sequence[str]
    ) -> dict[str, Any]:
        scores = image.regions.scores
        prediction = {
            "model_version": MODEL,
            "score": round(float(scores.mean()), 4) if len(scores) else 0.0,
            "result": list(self._results(image, names)),
        }
        data = {
            "image": f"{self.address}{image.file_name}",
            "key": image.key,
            "supervision": "; ".join(supervision),
        }
        return {"data": data, "predictions": [prediction]}

    def _results(self, image: ExportedImage, names: dict[int, str]) -> Iterator[dict[str, Any]]:
        regions = image.regions
        height, width = regions.size
        for i, mask in enumerate(regions.masks or ()):
            polygon = joined_polygon(mask_polygons(decoded(mask), self.tolerance_px))
            yield {
                "id": f"{MODEL}-{i + 1}",
                "type": "polygonlabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "score": round(float(regions.scores[i]), 4),
                "value": {
                    "points": (polygon * _PERCENT / (width, height)).tolist(),
                    "polygonlabels": [names[int(regions.category[i])]],
                    "closed": True,
                },
            }


def _interface(categories: Sequence[Category]) -> str:
    labels = "".join(
        f"    <Label value={quoteattr(category['name'])} "
        f'background="#{bytes(category["color"]).hex()}"/>\n'
        for category in categories
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        '  <PolygonLabels name="label" toName="image" strokeWidth="1" opacity="0.4">\n'
        f"{labels}  </PolygonLabels>\n</View>\n"
    )


class LabelStudioCorrections(Corrections):
    """Reads a JSON export of Label Studio: the last annotation of each task that has one.

    Args:
        path: The file ("JSON" among the export formats).
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @cached_property
    def _results(self) -> dict[str, list[dict[str, Any]]]:
        results = {}
        try:
            for task in json_of(self.path.read_bytes()):
                done = [one for one in task["annotations"] if not one.get("was_cancelled")]
                if done:
                    results[str(task["data"]["key"])] = list(done[-1]["result"])
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            told = "not a JSON export with annotations and our data.key"
            msg = f"cannot read corrections: {self.path} ({told}). Export as JSON."
            raise UsageError(msg) from error
        return results

    def keys(self, file_names: Mapping[str, str]) -> list[str]:
        """Returns the images that were annotated, as `Corrections.keys`."""
        return sorted(self._results.keys() & file_names.keys())

    def regions(self, key: str, size: tuple[int, int]) -> list[CorrectedRegion]:
        """Returns the regions of an image, as `Corrections.regions`."""
        results = [result for result in self._results[key] if "value" in result]
        return readable(key, self.path, lambda: [_region(result, size) for result in results])


def _region(result: dict[str, Any], size: tuple[int, int]) -> CorrectedRegion:
    kind, value = result["type"], result["value"]
    same_size(size, result["original_height"], result["original_width"])
    if kind == "polygonlabels":
        points = np.asarray(value["points"], dtype=np.float64).reshape(-1, 2)
    elif kind == "rectanglelabels" and not value.get("rotation"):
        x, y, width, height = (float(value[side]) for side in ("x", "y", "width", "height"))
        right, below = x + width, y + height
        points = np.array(((x, y), (right, y), (right, below), (x, below)))
    else:
        msg = f"a region of kind {kind}, expected polygons or upright rectangles"
        raise ValueError(msg)
    mask = polygon_mask([points * (size[1], size[0]) / _PERCENT], size)
    return CorrectedRegion(str(value[kind][0]), mask)
