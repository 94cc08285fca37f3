"""Label Studio: tasks with our labels as pre-annotations, and the labelling interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from relief.formats.exports.exporter import ExportedImage, ExportedLabels, Exporter
from relief.formats.files.atomic import whole_file, write_text
from relief.formats.reader import path_of_key
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import joined_polygon, mask_polygons
from relief.schema.categories import Category

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
        self, image: ExportedImage, names: dict[int, str], supervision: Any
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


def _interface(categories: list[Category] | Any) -> str:
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
