"""COCO panoptic: one JSON beside RGB PNGs, id = R + 256 G + 256^2 B, 0 = void."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from relief.formats.atomic import write_text
from relief.formats.label_store import panoptic_path, write_panoptic
from relief.formats.reader import LabelReader, with_progress
from relief.formats.segment_ids import INSTANCE_BITS, read_segment_ids
from relief.schema.categories import Category
from relief.schema.label_spaces import thing_mask

JSON = "panoptic.json"


class Segment(TypedDict):
    """One entry of `segments_info`."""

    id: int
    category_id: int
    area: int
    bbox: list[int]  # x, y, width, height
    iscrowd: int


def segments_info(ids: NDArray[np.uint32], category_of: Callable[[int], int]) -> list[Segment]:
    """The segments of one map, sorted by id.

    Args:
        ids: (H, W) segment ids, 0 = void.
        category_of: Category of a segment id.
    """
    height, width = ids.shape
    flat = ids.reshape(-1)
    begins = np.ones(flat.size, dtype=bool)
    begins[1:] = flat[1:] != flat[:-1]
    begins[::width] = True  # runs end with their row
    start = np.flatnonzero(begins)
    length = np.diff(start, append=flat.size)
    segments, segment_of_run = np.unique(flat[start], return_inverse=True)
    row, left = np.divmod(start, width)
    area = np.zeros(len(segments), dtype=np.int64)
    np.add.at(area, segment_of_run, length)
    low = np.full((2, len(segments)), max(height, width))
    high = np.zeros((2, len(segments)), dtype=np.int64)
    for axis, (first, last) in enumerate(((left, left + length - 1), (row, row))):
        np.minimum.at(low[axis], segment_of_run, first)
        np.maximum.at(high[axis], segment_of_run, last)
    return [
        Segment(
            id=int(segment),
            category_id=category_of(int(segment)),
            area=int(area[i]),
            bbox=[*low[:, i].tolist(), *(high - low + 1)[:, i].tolist()],
            iscrowd=0,
        )
        for i, segment in enumerate(segments)
        if segment != 0
    ]


def write_panoptic_json(
    out: Path,
    keys: Sequence[str],
    categories: Sequence[Category],
    file_names: Mapping[str, str] | None = None,
    supervision: Sequence[str] = (),
) -> None:
    """Assembles OUT/panoptic.json from the PNGs that `write_panoptic` left in OUT/panoptic.

    Args:
        out: The store.
        keys: Its images, in any order; the JSON is sorted by key, so equal labels give equal bytes.
        categories: Of the ids in the files.
        file_names: File name of the photograph by key; `KEY.png` without.
        supervision: What the labels or their names depended on; kept under `info`.

    Raises:
        ReadError: A PNG cannot be read.
        WriteError: The JSON cannot be written.
    """

    def describe(key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        ids = read_segment_ids(panoptic_path(out, key))
        height, width = ids.shape
        segments = segments_info(ids, lambda segment: (segment >> INSTANCE_BITS) - 1)
        image_name = (file_names or {}).get(key, f"{key}.png")
        image = {"id": key, "file_name": image_name, "height": height, "width": width}
        annotation = {"image_id": key, "file_name": f"{key}.png", "segments_info": segments}
        return image, annotation

    ordered = sorted(keys)
    with ThreadPoolExecutor(max_workers=4) as pool:
        described = list(with_progress(pool.map(describe, ordered), "panoptic.json", len(ordered)))
    content: dict[str, Any] = {
        "images": [image for image, _ in described],
        "annotations": [annotation for _, annotation in described],
        "categories": list(categories),
    }
    if supervision:
        content["info"] = {"supervision": list(supervision)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    write_text(Path(out) / JSON, text + "\n")


def write_coco_panoptic(
    out: Path,
    reader: LabelReader,
    categories: Sequence[Category],
    supervision: Sequence[str] = (),
) -> None:
    """Writes the labels of any format as OUT/panoptic.json and OUT/panoptic/KEY.png.

    Args:
        out: Where to.
        reader: The labels.
        categories: Of all its ids, in order of id.
        supervision: As `write_panoptic_json`.

    Raises:
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    things = [category["id"] for category in categories if category["isthing"]]
    is_thing = thing_mask(things, len(categories))
    for key in with_progress(reader.keys, "COCO panoptic", len(reader.keys)):
        write_panoptic(out, key, reader.panoptic(key), is_thing)
    write_panoptic_json(out, reader.keys, categories, supervision=supervision)
