"""Mapillary Vistas, and sets laid out like it: palette label files, and a list of classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.errors import UsageError
from relief.schema.label_spaces import Label, LabelSpace
from relief.sources.paired_folders import PairedFolders

_DIVISOR = 256


class VistasSource(PairedFolders):
    """`ROOT/SPLIT/images/*.jpg` and `ROOT/SPLIT/VERSION/labels/*.png`; classes of `ROOT/CONFIG`.

    CONFIG lists `labels` with `name`, `color`, `instances` (comes in objects) and `evaluate` (false
    is void); the place in the list is the id in a label file. `instances` beside `labels` holds
    label * 256 + object, the first object 0; without that folder things are regions without
    single objects.

    Args:
        root: The folder that holds CONFIG and the splits.
        split: `training`, `validation`, or `testing`, which has no labels.
        version: Folder of the labels in a split: `v2.0`, `v1.2`, or empty for none.
        config: Name of the list.
        image_ending: Of photographs.

    Raises:
        UsageError: The list is not there, or no such list.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "validation",
        version: str = "v2.0",
        config: str = "config_v2.0.json",
        image_ending: str = ".jpg",
    ) -> None:
        labels = Path(split) / version / "labels"
        super().__init__(root, f"{split}/images", str(labels), image_ending, needs_labels=False)
        self.split = split
        self.names, self.label_space = _classes(self.root / config)

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """Reads classes, and objects where there are; raises `ReadError`."""
        objects = path.parent.with_name("instances") / path.name
        if not objects.is_file():
            ids = read_ids(path)
            return ids, torch.zeros_like(ids)
        ids = read_ids(objects)
        return ids // _DIVISOR, ids % _DIVISOR + 1


def _classes(path: Path) -> tuple[tuple[str, ...], LabelSpace]:
    """Names by id, and the classes that are measured."""
    try:
        listed: list[Any] = json.loads(path.read_text())["labels"]
        labels = [
            Label(number, one["name"], tuple(one["color"]), is_thing=bool(one["instances"]))
            for number, one in enumerate(listed)
            if one.get("evaluate", True)
        ]
        names = tuple(one["name"] for one in listed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"no list of labels: {path}. Unpack the data set again, or name its list as `config`."
        raise UsageError(msg) from error
    return names, LabelSpace(path.stem, tuple(labels))
