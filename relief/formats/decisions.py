"""Decisions of a person on the review page, and the labels after them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relief.formats.reader import ChangedLabels, LabelReader
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.schema.plain_text import json_of

Pair = tuple[int, int]  # (category, instance)


@dataclass(frozen=True)
class Decision:
    """A change of one object.

    Attributes:
        pair: The object: (category, instance).
        becomes: Another object that it is a part of, (stuff, 0), another category with its own
            number, or (-1, 0), nothing.
    """

    pair: Pair
    becomes: Pair


@dataclass(frozen=True)
class Decisions:
    """All decisions about a store.

    Attributes:
        objects: Changes by key, in the order in which they are made.
        dropped: Keys of images that are left out.
    """

    objects: Mapping[str, Sequence[Decision]]
    dropped: frozenset[str]

    @classmethod
    def read(cls, path: Path, settings: str, is_thing: Tensor) -> Decisions:
        """Reads the file that the review page saves.

        Args:
            path: The file.
            settings: `Manifest.settings_digest` of the labels that it must be of.
            is_thing: (num_categories,) bool.

        Raises:
            UsageError: It cannot be read, or is of other labels.
        """
        try:
            content = json_of(path.read_bytes())
            of, listed = content["labels"], list(content["decisions"])
            objects: dict[str, list[Decision]] = defaultdict(list)
            dropped = {str(one["key"]) for one in listed if one["action"] == "drop_image"}
            for one in listed:
                if one["action"] != "drop_image":
                    objects[str(one["key"])].append(_decision(one, is_thing))
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            msg = f"cannot read decisions: {path} ({error}). Save them on the review page."
            raise UsageError(msg) from error
        if of != settings:
            msg = f"decisions are about other labels: {path}. Review these ones."
            raise UsageError(msg)
        return cls(dict(objects), frozenset(dropped))


class DecidedLabels(ChangedLabels):
    """Labels after what a person decided; fits `relief.formats.reader.LabelReader`."""

    def __init__(self, labels: LabelReader, decisions: Decisions) -> None:
        self.labels = labels
        self.decisions = decisions

    @property
    def keys(self) -> list[str]:
        """Sorted keys of the images that stay."""
        return [key for key in self.labels.keys if key not in self.decisions.dropped]

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 ids, where objects were changed those of the objects; raises `ReadError`."""
        before, after = self.labels.panoptic(key), self.panoptic(key)
        is_changed = (before != after).any(dim=-1)
        return torch.where(is_changed, after[..., 0], self.labels.semantic(key))

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance); raises `ReadError`."""
        panoptic = self.labels.panoptic(key).clone()
        for decision in self.decisions.objects.get(key, ()):
            is_object = (panoptic == torch.tensor(decision.pair)).all(dim=-1)
            panoptic[is_object] = torch.tensor(decision.becomes)
        return panoptic


def _decision(entry: Mapping[str, Any], is_thing: Tensor) -> Decision:
    action = str(entry["action"])
    if action not in _BECOMES:
        msg = f"unknown action: {action}"
        raise ValueError(msg)
    becomes = _BECOMES[action](entry)
    if becomes[0] >= len(is_thing):
        msg = f"there is no category {becomes[0]}"
        raise ValueError(msg)
    if becomes[0] >= 0 and not is_thing[becomes[0]]:
        becomes = (becomes[0], 0)
    return Decision((int(entry["category"]), int(entry["instance"])), becomes)


_BECOMES: dict[str, Callable[[Mapping[str, Any]], Pair]] = {
    "drop": lambda _: (VOID, 0),
    "merge": lambda one: (int(one["into"]["category"]), int(one["into"]["instance"])),
    "set_class": lambda one: (int(one["to"]), int(one["instance"])),
}
