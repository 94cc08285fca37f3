"""The manifest of a store: all that determined its labels, compared before more are added."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from relief.schema.errors import UsageError
from relief.schema.label_spaces import label_space, thing_mask
from relief.schema.plain_text import json_of, sentences_of

FORMAT_VERSION = 1
DEPTH_DIGESTS = "parts.depth_files.content."
NAMES_BY_HAND = "names given by hand"

# A list of numbers that `indent` has spread over lines; no JSON string holds a newline.
_NUMBER_LIST = re.compile(r"\[\n[-\d,\s]+\]")

# Known once the codebook is; the parts that lead there are compared all the same.
_OF_THE_CODEBOOK = (
    "thing_ids",
    "groups",
    "codebook",
    "label_space",
    "classes",
    "supervision",
    "notes",
)

ImageStatus = Literal["pending", "labelled", "failed"]


@dataclass(frozen=True)
class ManifestInputs:
    """The configuration, images and depth of a run, from which a labeller makes its manifest.

    Attributes:
        parts: `class_path` and `init_args` by role.
        keys: The images.
        depth_record: What made the depth that comes with the images: `weights`, `supervision`,
            `notes` as a network's `provenance`, and its numbers. `None`: none comes.
    """

    parts: Mapping[str, Any] = field(default_factory=dict)
    keys: Sequence[str] = ()
    depth_record: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything that decides the bytes of a label store, and nothing else.

    No devices, batch sizes, workers, absolute paths, times or hosts: two runs that should write
    the same labels write the same manifest.

    Attributes:
        k: Number of clusters in the codebook.
        label_space: What the ids of `semantic/` and `panoptic/` are: `clusters`, or
            `oracle_classes` where ground truth named them.
        classes: The classes that `oracle_classes` are of, such as `cityscapes19`; else `None`.
        parts: `class_path` and `init_args` of the parts, by role (backbone, depth, splitter, ...);
            under `depth_files` what precomputed depth was made with, where its files tell.
        weights: SHA-256 of weight files by role.
        thing_ids: Ids that are things; `None` until they are known.
        groups: Group of each id, -1 for stuff; `None` until they are known.
        codebook: SHA-256 of its centroids and decisions; `None` until it is known, or without one.
        confidence: The part that says how sure the labels are, where one does.
        supervision: Which ground truth was read to make this, one sentence each; empty: none.
        notes: What a reader of the labels must know, one sentence each.
        images: Status by image key.
        inputs: What each image is, by key: a mark of its file (`relief.formats.files.digest`).
        failures: Why each image that failed did, by key.
        shard_size: Images per shard, where the labels lie in shards (`relief.formats.shards`): the
            sorted keys, so many at a time.
        format_version: Of this file and the folders beside it.
    """

    k: int
    label_space: Literal["clusters", "oracle_classes"] = "clusters"
    classes: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    thing_ids: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    codebook: str | None = None
    confidence: str | None = None
    supervision: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    images: Mapping[str, ImageStatus] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    shard_size: int | None = None
    format_version: int = FORMAT_VERSION

    @property
    def num_categories(self) -> int:
        """How many ids there are: classes, or clusters."""
        return self.k if self.classes is None else label_space(self.classes).num_classes

    @property
    def is_thing(self) -> Tensor:
        """(num_categories,) bool; all false while `thing_ids` is not known."""
        return thing_mask(self.thing_ids or (), self.num_categories)

    @property
    def group_of_id(self) -> Tensor:
        """(num_categories,) int64, -1 for stuff and while `groups` is not known."""
        if self.groups is None:
            return torch.full((self.num_categories,), -1, dtype=torch.int64)
        return torch.tensor(self.groups, dtype=torch.int64)

    def keys(self, status: ImageStatus | None = None) -> list[str]:
        """Sorted keys of the images, of those with one status where it is given."""
        return sorted(key for key, own in self.images.items() if status in (None, own))

    def to_json(self) -> str:
        """Sorted JSON with a newline at the end; equal manifests give equal bytes.

        NaN and infinite numbers become their names: JSON has none, and NaN equals nothing.
        """
        values = _without_nan(dataclasses.asdict(self))
        if self.shard_size is None:
            del values["shard_size"]
        text = json.dumps(values, sort_keys=True, indent=1, allow_nan=False)
        return _NUMBER_LIST.sub(_on_one_line, text) + "\n"

    def settings_digest(self) -> str:
        """Returns SHA-256 of all but the images: which labels belong together."""
        bare = dataclasses.replace(self, images={}, inputs={}, failures={})
        return hashlib.sha256(bare.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, where: str = "manifest.json") -> Manifest:
        """Reads what `to_json` wrote.

        Args:
            text: The JSON.
            where: The file, for the message.

        Raises:
            UsageError: It is not a manifest, or of a newer format.
        """
        try:
            values = json_of(text)
            version = values["format_version"]
            if version > FORMAT_VERSION:
                msg = f"manifest is of format {version}: {where}. Read it with a newer version."
                raise UsageError(msg)
            for name in ("supervision", "notes"):
                sentences_of(values, name)
            for name in ("thing_ids", "groups", "supervision", "notes"):
                if values[name] is not None:
                    values[name] = tuple(values[name])
            for name in ("parts", "weights", "images", "inputs", "failures"):
                values[name] = dict(values.get(name, {}).items())
            for name in ("numbers", "seeds"):  # empty in manifests of earlier versions
                values.pop(name, None)
            manifest = cls(**values)
            manifest.is_thing, manifest.group_of_id, manifest.keys()
            return manifest
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError) as error:
            msg = f"cannot read manifest: {where}. Use another folder or --overwrite true."
            raise UsageError(msg) from error


def differences(old: Manifest, new: Manifest) -> list[str]:
    """Lists what another configuration changed, for people: `k=27, this run has k=80`."""
    return [
        f"{name}={before}, this run has {name}={after}" for name, before, after in changes(old, new)
    ]


def changes(old: Manifest, new: Manifest) -> list[tuple[str, str, str]]:
    """Lists the settings of labels that differ: name, value before, value after.

    The images and their statuses are not compared, and neither is what the codebook decides where
    one side does not know it yet. Of depth files, those are compared that both sides looked at.
    """
    before, after = _settings(old), _settings(new)
    if old.thing_ids is None or new.thing_ids is None:
        for name in _OF_THE_CODEBOOK:
            del before[name], after[name]
    changed = [name for name in before.keys() | after.keys() if _differ(before, after, name)]
    changed = [name for name in changed if not _is_of_one_side(before, after, name)]
    changed.sort(key=lambda name: (name != "k", name.startswith(DEPTH_DIGESTS), name))
    return [(name, _shown(before, name), _shown(after, name)) for name in changed]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _on_one_line(numbers: re.Match[str]) -> str:
    return f"[{' '.join(numbers[0][1:-1].split())}]"


def _settings(manifest: Manifest) -> dict[str, Any]:
    values = json.loads(manifest.to_json())
    del values["images"], values["inputs"], values["failures"]
    return dict(_flat(values))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    return name not in before or name not in after or before[name] != after[name]


def _is_of_one_side(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    """Whether it is the digest of a file that the other side did not look at."""
    return name.startswith(DEPTH_DIGESTS) and not (name in before and name in after)


def _shown(settings: Mapping[str, Any], name: str, max_characters: int = 60) -> str:
    text = json.dumps(settings[name]).strip('"') if name in settings else "nothing"
    return text if len(text) <= max_characters else text[: max_characters - 3] + "..."
