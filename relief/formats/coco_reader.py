"""Reads COCO panoptic files of anyone."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.formats.label_store import PANOPTIC
from relief.formats.reader import path_of_key
from relief.formats.segment_ids import INSTANCE_BITS, MAX_INSTANCES, read_segment_ids
from relief.schema.categories import Category
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import VOID


class CocoPanoptic:
    """Reads COCO panoptic files of anyone; fits `relief.formats.reader.LabelReader`.

    Categories keep the ids of the file. The instances of an image are numbered 1, 2, ... in the
    order of their segment ids, unless the ids are those of a label store, which say the number.
    """

    def __init__(self, json_path: Path, png_folder: Path | None = None) -> None:
        self.json_path = Path(json_path)
        self.png_folder = Path(png_folder) if png_folder else self.json_path.parent / PANOPTIC

    @cached_property
    def _content(self) -> dict[str, Any]:
        try:
            content = json.loads(self.json_path.read_text(encoding="utf-8"))
            return {name: content[name] for name in ("annotations", "categories")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"cannot read COCO panoptic labels: {self.json_path}. Give a panoptic JSON file."
            raise UsageError(msg) from error

    @cached_property
    def _annotations(self) -> dict[str, dict[str, Any]]:
        return {_stem(entry["file_name"]): entry for entry in self._content["annotations"]}

    @property
    def categories(self) -> list[Category]:
        """The categories of the file."""
        return self._content["categories"]

    @cached_property
    def keys(self) -> list[str]:
        """Sorted names of the PNGs, without suffix."""
        return sorted(self._annotations)

    @property
    def num_categories(self) -> int:
        """One more than the largest category id."""
        return 1 + max(category["id"] for category in self.categories)

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """Ids of the categories that are things."""
        return tuple(sorted(entry["id"] for entry in self.categories if entry["isthing"]))

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 category ids, -1 where void; raises `ReadError`."""
        return self.panoptic(key)[..., 0]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance); crowd regions have instance 0.

        Raises:
            ReadError: The PNG cannot be read, or holds a segment that the JSON does not.
        """
        path = path_of_key(self.png_folder, key, ".png")
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
        things = set(self.thing_ids)
        pairs = {0: (VOID, 0)}
        number = 0
        entries = sorted(self._annotations[key]["segments_info"], key=lambda entry: entry["id"])
        numbered = all(e["id"] >> INSTANCE_BITS == e["category_id"] + 1 for e in entries)
        for entry in entries:
            segment, category = entry["id"], entry["category_id"]
            if category not in things or entry.get("iscrowd"):
                pairs[segment] = (category, 0)
            elif numbered:
                pairs[segment] = (category, segment & MAX_INSTANCES)
            else:
                number += 1
                pairs[segment] = (category, number)
        return pairs


def _stem(file_name: str) -> str:
    return file_name.removesuffix(".png")
