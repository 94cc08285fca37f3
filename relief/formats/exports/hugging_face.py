"""Hugging Face `datasets`: parquet files that hold photographs, panoptic maps and segments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from relief.formats.coco.panoptic import own_segments
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.formats.files.atomic import whole_file, write_text
from relief.formats.label_png import png_bytes
from relief.formats.segment_ids import (
    ids_as_rgb,
    refuse_too_many_categories,
    segment_ids,
)
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError
from relief.schema.label_spaces import thing_mask

_SEGMENT = ("id", "category_id", "area", "iscrowd")
_ROWS_AT_ONCE = 8  # a row holds a photograph and a map


class HuggingFaceDataset(Exporter):
    """Writes OUT/data/SPLIT-00000-of-N.parquet and OUT/README.md, the card that names classes.

    Columns: `key`, `image` (the photograph, where there is one), `panoptic` (PNG, COCO encoded:
    id = R + 256 G + 256^2 B), `segments_info` (id, category_id, area, iscrowd, bbox, score).

    Args:
        images_per_file: How many images a parquet file holds.
    """

    def __init__(self, images_per_file: int = 1000) -> None:
        self.images_per_file = images_per_file

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError as error:
            msg = "parquet files need pyarrow: pip install pyarrow, or relief[export]."
            raise UsageError(msg) from error
        refuse_too_many_categories(len(exported.categories))
        keys = exported.labels.keys
        count = max(1, -(-len(keys) // self.images_per_file))
        rows = iter(with_progress(_rows(exported), "parquet", len(keys)))
        schema = _schema(arrow)
        for number in range(count):
            name = f"{exported.split}-{number:05d}-of-{count:05d}.parquet"
            with (
                whole_file(out / "data" / name) as file,
                parquet.ParquetWriter(file, schema) as writer,
            ):
                left = self.images_per_file
                while some := list(islice(rows, min(left, _ROWS_AT_ONCE))):
                    writer.write_table(arrow.Table.from_pylist(some, schema=schema))
                    left -= len(some)
        write_text(out / "README.md", _card(exported))


def _rows(exported: ExportedLabels) -> Iterator[dict[str, Any]]:
    is_thing = thing_mask([one["id"] for one in exported.things], len(exported.categories))
    for key in exported.labels.keys:
        ids = segment_ids(exported.labels.panoptic(key), is_thing)
        segments = own_segments(ids, exported.confidence(key))
        yield {
            "key": key,
            "image": _photograph(exported, key),
            "panoptic": {"bytes": png_bytes(ids_as_rgb(ids)), "path": f"{key}.png"},
            "segments_info": [{"score": 1.0, **segment} for segment in segments],
        }


def _photograph(exported: ExportedLabels, key: str) -> dict[str, Any] | None:
    content = exported.photograph(key)
    return None if content is None else {"bytes": content, "path": exported.file_name(key)}


def _schema(arrow: Any) -> Any:
    picture = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    numbers = [(name, arrow.int64()) for name in _SEGMENT]
    bbox, score = ("bbox", arrow.list_(arrow.int64())), ("score", arrow.float64())
    segments = arrow.list_(arrow.struct([*numbers, bbox, score]))
    columns = [("key", arrow.string()), ("image", picture), ("panoptic", picture)]
    number, image = {"dtype": "int64", "_type": "Value"}, {"_type": "Image"}
    segment = {
        **dict.fromkeys(_SEGMENT, number),
        "bbox": {"feature": number, "_type": "List"},
        "score": {"dtype": "float64", "_type": "Value"},
    }
    features = {
        "key": {"dtype": "string", "_type": "Value"},
        "image": image,
        "panoptic": image,
        "segments_info": {"feature": segment, "_type": "List"},
    }
    told = json.dumps({"info": {"features": features}})
    return arrow.schema([*columns, ("segments_info", segments)], metadata={"huggingface": told})


def _card(exported: ExportedLabels) -> str:
    classes = "\n".join(
        f"| {one['id']} | {one['name'].replace('|', ' ')} | {one['supercategory']} |"
        for one in exported.categories
    )
    depended = "\n".join(f"- {line}" for line in exported.supervision) or "None."
    return (
        "---\ntask_categories: [image-segmentation]\nconfigs:\n- config_name: default\n"
        f"  data_files:\n  - {{split: {exported.split}, path: data/{exported.split}-*.parquet}}\n"
        "---\n\nPanoptic labels made by Relief without annotation.\n\n## Supervision\n\n"
        f"{depended}\n\n## Categories\n\n| id | name | kind |\n|---|---|---|\n{classes}\n"
    )
