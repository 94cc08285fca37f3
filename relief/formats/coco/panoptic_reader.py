"""Reads COCO panoptic files of anyone."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.formats.coco.json_files import MALFORMED, key_of_file_name, whole_number
from relief.formats.files.folders import AlikeFiles
from relief.formats.label_store import PANOPTIC
from relief.formats.reader import entry_of, path_of_key
from relief.formats.segment_ids import INSTANCE_BITS, MAX_INSTANCES, read_segment_ids
from relief.schema.categories import Category
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import VOID, LabelSpace
from relief.schema.plain_text import json_of


def read_coco_json(path: Path) -> dict[str, Any]:
    """Reads a COCO panoptic JSON as anyone writes it, in any Unicode encoding.

    Returns:
        `annotations` with `file_name` and `segments_info`, `categories`, `images` (may be empty);
        ids are whole numbers, of segments below 2^24, of categories below 2^16.

    Raises:
        UsageError: It is none; the message says what is missing.
    """
    problem = "not a readable JSON file"
    try:
        content = json_of(path.read_bytes())
        problem = "no annotations and categories"
        read = {name: list(content[name]) for name in ("annotations", "categories")}
        problem = "annotations of objects, without segments_info"
        segments = [segment for entry in read["annotations"] for segment in entry["segments_info"]]
        problem = "segments without whole numbers as ids"
        for segment in segments:
            segment["id"] = whole_number(segment["id"], 2**24)
            segment["category_id"] = whole_number(segment["category_id"])
        problem = "categories without a whole number as id"
        for category in read["categories"]:
            category["id"] = whole_number(category["id"])
            if category.get("isthing") is not None:
                category["isthing"] = whole_number(category["isthing"], 2)
        problem = "annotations without the file_name of a PNG below one folder"
        names = Counter(key_of_file_name(entry["file_name"]) for entry in read["annotations"])
        problem = "images without id and file_name"
        images = content.get("images") or []
        read["images"] = [image for image in images if (image["id"], image["file_name"])]
    except MALFORMED as error:
        raise _refused(path, problem) from error
    used = {segment["category_id"] for segment in segments}
    known = {category["id"] for category in read["categories"]}
    if not known:
        read["categories"] = [{"id": number, "name": str(number)} for number in sorted(used)]
    elif used - known:
        raise _refused(path, f"category {min(used - known)} is used and not listed")
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise _refused(path, f"two annotations of {twice[0]}")
    return read


class CocoPanoptic:
    """Reads COCO panoptic files of anyone; fits `relief.formats.reader.LabelReader`.

    Categories keep the ids of the file, unless a label space is given that knows all their names.
    The instances of an image are numbered 1, 2, ... in the order of their segment ids, unless the
    ids are those of a label store, which say the number. Names as Cityscapes' scripts write them
    (`aachen_000000_000019_gtFine_panoptic.png`) give the keys of a Cityscapes tree.

    Args:
        json_path: The JSON.
        png_folder: Where the PNGs lie; unless given, `panoptic` beside the JSON or the folder of
            its name.
        space: Classes whose names the categories may have.
    """

    def __init__(
        self, json_path: Path, png_folder: Path | None = None, space: LabelSpace | None = None
    ) -> None:
        self.json_path = Path(json_path)
        beside = self.json_path.parent / PANOPTIC
        named = self.json_path.with_suffix("")
        found = named if named.is_dir() and not beside.is_dir() else beside
        self.png_folder = Path(png_folder) if png_folder else found
        self.space = space
        self._files = AlikeFiles()

    @cached_property
    def _content(self) -> dict[str, Any]:
        return read_coco_json(self.json_path)

    @cached_property
    def _annotations(self) -> dict[str, dict[str, Any]]:
        return {
            key_of_file_name(entry["file_name"]): entry for entry in self._content["annotations"]
        }

    @property
    def categories(self) -> list[Category]:
        """The categories of the file."""
        return self._content["categories"]

    @property
    def are_classes(self) -> bool:
        """Whether the categories have the names of classes, so that ids are class ids."""
        return self._class_of_category is not None

    @cached_property
    def _class_of_category(self) -> dict[int, int] | None:
        """Class id by category id, by name; `None` where the names say nothing."""
        if self.space is None:
            return None
        named = {name: number for number, name in enumerate(self.space.names)}
        names = {c["id"]: str(c.get("name")) for c in self.categories}
        if not names or not all(name in named for name in names.values()):
            return None
        return {number: named[name] for number, name in names.items()}

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images."""
        return sorted(self._annotations)

    @property
    def num_categories(self) -> int:
        """One more than the largest category id, or the classes of the label space."""
        if self.space is not None and self.are_classes:
            return self.space.num_classes
        return 1 + max((category["id"] for category in self.categories), default=-1)

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """Ids of the categories that are things; `None` where the file does not say."""
        if self.space is not None and self.are_classes:
            return self.space.things
        if any(category.get("isthing") is None for category in self.categories):
            return None
        return tuple(sorted(category["id"] for category in self.categories if category["isthing"]))

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 category ids, -1 where void; raises `ReadError`."""
        return self.panoptic(key)[..., 0]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance); crowd regions have instance 0.

        Raises:
            ReadError: The PNG cannot be read, or holds a segment that the JSON does not.
        """
        name = entry_of(self._annotations, key, self.json_path)["file_name"]
        named = path_of_key(self.png_folder, name, "").with_suffix(".png")
        path = self._files.find(named) or named
        ids = read_segment_ids(path)
        present, position = np.unique(ids, return_inverse=True)
        pairs = self._pairs(key)
        unknown = [int(segment) for segment in present if int(segment) not in pairs]
        if unknown:
            msg = f"segment {unknown[0]} is not in {self.json_path.name}: {path}. Make them again."
            raise ReadError(msg)
        table = torch.tensor([pairs[int(segment)] for segment in present], dtype=torch.int64)
        return table[torch.from_numpy(position.reshape(ids.shape))]

    def _pairs(self, key: str) -> dict[int, tuple[int, int]]:
        things, classes = self.thing_ids, self._class_of_category
        pairs, number = {}, 0
        entries = sorted(self._annotations[key]["segments_info"], key=lambda entry: entry["id"])
        numbered = all(e["id"] >> INSTANCE_BITS == e["category_id"] + 1 for e in entries)
        for entry in entries:
            segment, category = entry["id"], entry["category_id"]
            category = category if classes is None else classes[category]
            if (things is not None and category not in things) or entry.get("iscrowd"):
                pairs[segment] = (category, 0)
            elif numbered:
                pairs[segment] = (category, segment & MAX_INSTANCES)
            else:
                number += 1
                pairs[segment] = (category, number)
        return pairs | {0: (VOID, 0)}


def _refused(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"cannot read COCO panoptic labels: {path} ({problem}). Give a panoptic JSON file."
    )
