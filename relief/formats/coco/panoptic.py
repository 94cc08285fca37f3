"""COCO panoptic: one JSON beside RGB PNGs, id = R + 256 G + 256^2 B, 0 = void."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.coco.json_files import json_pieces
from relief.formats.coco.panoptic_reader import read_coco_json
from relief.formats.files.atomic import whole_file
from relief.formats.label_png import ByteSource
from relief.formats.label_store import panoptic_path, write_panoptic
from relief.formats.reader import LabelReader
from relief.formats.segment_ids import (
    INSTANCE_BITS,
    read_segment_ids,
    refuse_too_many_categories,
)
from relief.processes.progress import with_progress
from relief.schema.categories import Category
from relief.schema.errors import ReadError, reason_of
from relief.schema.label_spaces import thing_mask

JSON = "panoptic.json"
_IMAGES_AT_ONCE = 64  # segments of so many are held; a frame has some 40 kB of them


class Segment(TypedDict):
    """One entry of `segments_info`."""

    id: int
    category_id: int
    area: int
    bbox: list[int]  # x, y, width, height
    iscrowd: int
    score: NotRequired[float]  # where labels say how sure they are


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


def with_scores(
    segments: Sequence[Segment], ids: NDArray[np.uint32], confidence: Tensor
) -> list[Segment]:
    """Gives segments the mean confidence of their pixels as their score, four digits of it.

    Args:
        segments: Of the map, sorted by id.
        ids: (H, W) segment ids, 0 = void.
        confidence: (H, W) in [0, 1].
    """
    known = np.array([0, *(segment["id"] for segment in segments)])
    which = np.searchsorted(known, ids.reshape(-1))
    total = np.bincount(which, confidence.double().numpy().reshape(-1), minlength=len(known))
    return [
        {**segment, "score": round(float(total[i + 1]) / segment["area"], 4)}
        for i, segment in enumerate(segments)
    ]


def own_segments(ids: NDArray[np.uint32], confidence: Tensor | None = None) -> list[Segment]:
    """Describes the segments of a map of ours, whose ids tell the category.

    Args:
        ids: (H, W) segment ids as `relief.formats.segment_ids` composes them, 0 = void.
        confidence: (H, W) in [0, 1]; segments then have a `score`.
    """
    segments = segments_info(ids, lambda segment: (segment >> INSTANCE_BITS) - 1)
    return segments if confidence is None else with_scores(segments, ids, confidence)


class DescribedImage(TypedDict):
    """Size and segments of one map."""

    key: str
    height: int
    width: int
    segments_info: list[Segment]


def described_images(
    file: Callable[[str], ByteSource],
    keys: Sequence[str],
    confidence: Callable[[str], Tensor | None] | None = None,
) -> Iterator[DescribedImage]:
    """Yields size and segments of the panoptic maps of a store, in the order of the keys.

    Args:
        file: Gives the map of a key.
        keys: The images.
        confidence: Gives by key (H, W) in [0, 1], or `None`; segments then have a `score`.

    Raises:
        ReadError: A PNG cannot be read.
    """

    def describe(key: str) -> DescribedImage:
        ids = read_segment_ids(file(key))
        segments = own_segments(ids, confidence(key) if confidence else None)
        height, width = ids.shape
        return DescribedImage(key=key, height=height, width=width, segments_info=segments)

    with ThreadPoolExecutor(max_workers=4) as pool:
        for start in range(0, len(keys), _IMAGES_AT_ONCE):
            yield from pool.map(describe, keys[start : start + _IMAGES_AT_ONCE])


def write_panoptic_json(
    out: Path,
    keys: Sequence[str],
    categories: Sequence[Category],
    file_names: Mapping[str, str] | None = None,
    supervision: Sequence[str] = (),
    described: Iterable[DescribedImage] | None = None,
    confidence: Callable[[str], Tensor | None] | None = None,
) -> int:
    """Assembles OUT/panoptic.json from the PNGs that `write_panoptic` left in OUT/panoptic.

    Entries are written as they are made: memory does not grow with the segments of a data set.

    Args:
        out: The store.
        keys: Its images, in any order; the JSON is sorted by key, so equal labels give equal bytes,
            and image ids are 1, 2, ... in that order: COCO's are whole numbers.
        categories: Of the ids in the files.
        file_names: File name of the photograph by key; `KEY.png` without.
        supervision: What the labels or their names depended on; kept under `info`.
        described: The images sorted by key, where they need not be read from PNGs.
        confidence: Gives by key (H, W) in [0, 1], or `None`; segments then have a `score`.

    Returns:
        How many objects there are: segments of things.

    Raises:
        ReadError: A PNG cannot be read.
        WriteError: The JSON cannot be written.
    """
    ordered = sorted(keys)
    sizes = array("Q")  # height and width of each image: all that is kept of it
    things = {category["id"] for category in categories if category["isthing"]}
    objects = 0

    def annotations() -> Iterator[dict[str, Any]]:
        nonlocal objects
        read = described_images(partial(panoptic_path, out), ordered, confidence)
        for number, image in enumerate(read if described is None else described, start=1):
            segments = image["segments_info"]
            sizes.extend((image["height"], image["width"]))
            objects += sum(segment["category_id"] in things for segment in segments)
            name = f"{image['key']}.png"
            yield {"image_id": number, "file_name": name, "segments_info": segments}

    def images() -> Iterator[dict[str, Any]]:
        for i, key in enumerate(ordered):
            image_name = (file_names or {}).get(key, f"{key}.png")
            height, width = sizes[2 * i : 2 * i + 2]
            yield {"id": i + 1, "file_name": image_name, "height": height, "width": width}

    content: dict[str, Iterable[Any] | dict[str, Any]] = {
        "annotations": with_progress(annotations(), JSON, len(ordered)),
        "categories": categories,
        "images": images(),
    }
    if supervision:
        content["info"] = {"supervision": list(supervision)}
    with whole_file(Path(out) / JSON) as file:
        for text in json_pieces(content):
            file.write(text.encode())
    return objects


def write_coco_panoptic(
    out: Path,
    reader: LabelReader,
    categories: Sequence[Category],
    supervision: Sequence[str] = (),
    file_names: Mapping[str, str] | None = None,
    confidence: Callable[[str], Tensor | None] | None = None,
) -> None:
    """Writes the labels of any format as OUT/panoptic.json and OUT/panoptic/KEY.png.

    Args:
        out: Where to.
        reader: The labels.
        categories: Of all its ids, in order of id.
        supervision: As `write_panoptic_json`.
        file_names: As `write_panoptic_json`.
        confidence: As `write_panoptic_json`.

    Raises:
        UsageError: There are more categories than ids.
        ReadError: Labels of an image cannot be read, or not be told in this format.
        WriteError: A file cannot be written.
    """
    refuse_too_many_categories(len(categories))
    things = [category["id"] for category in categories if category["isthing"]]
    is_thing = thing_mask(things, len(categories))
    for key in with_progress(reader.keys, "COCO panoptic", len(reader.keys)):
        try:
            write_panoptic(out, key, reader.panoptic(key), is_thing)
        except ValueError as error:  # ids that no file of this format holds
            raise ReadError(reason_of(error, key)) from error
    write_panoptic_json(
        out, reader.keys, categories, file_names, supervision, confidence=confidence
    )


def photographs(store: Path) -> dict[str, str]:
    """Reads by key how the photographs are called, from a store's panoptic.json if there is one."""
    path = Path(store) / JSON
    if not path.is_file():
        return {}
    content = read_coco_json(path)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    return {
        entry["file_name"].removesuffix(".png"): names[entry["image_id"]]
        for entry in content["annotations"]
        if entry["image_id"] in names
    }
