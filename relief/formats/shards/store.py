"""Labels of very many images: sorted keys in fixed shards, a tar each, and what is in it.

OUT/shards/000000.tar     KEY.panoptic.png, KEY.semantic.png, KEY.confidence.png, in order of key
OUT/shards/000000.jsonl   size and segments of each image, one line of JSON
OUT/shards/000000.json    statuses, counts, sizes and SHA-256 of the two: written last
"""

from __future__ import annotations

import hashlib
import tarfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from relief.schema.errors import ReadError, UsageError
from relief.schema.manifest import ImageStatus, Manifest
from relief.schema.plain_text import json_of

SHARDS = "shards"
_INDICES_HELD = 64  # tars whose table of contents stays in memory


@dataclass(frozen=True)
class Shard:
    """Some images that are labelled together, whatever the number of processes.

    Attributes:
        number: Its place in the plan: 0, 1, ...
        keys: Its images, sorted.
    """

    number: int
    keys: tuple[str, ...]

    def path(self, out: Path, suffix: str) -> Path:
        """Returns where a file of the shard lies below OUT."""
        return Path(out) / SHARDS / f"{self.number:06d}{suffix}"


class FileRecord(TypedDict):
    """Size and digest of a file."""

    bytes: int
    sha256: str


class ShardRecord(TypedDict):
    """Content of a shard, as its JSON tells it."""

    counts: dict[str, int]  # images labelled and failed, objects
    failures: dict[str, str]
    files: dict[str, FileRecord]  # by suffix
    images: dict[str, ImageStatus]
    inputs: dict[str, str]
    settings: str


def plan_shards(manifest: Manifest) -> list[Shard]:
    """Returns the shards of a store: its sorted keys, `shard_size` at a time."""
    keys, size = manifest.keys(), manifest.shard_size
    if size is None:
        return []
    starts = range(0, len(keys), size)
    return [Shard(i, tuple(keys[start : start + size])) for i, start in enumerate(starts)]


def choose_shards(shards: Sequence[Shard], wanted: str) -> list[Shard]:
    """Returns the shards that a worker is asked for.

    Args:
        shards: The plan.
        wanted: `auto` for all, `none`, or numbers such as `7` or `0-99,200`; what is behind the
            last one is passed over, so that jobs of one size cover any plan.

    Raises:
        UsageError: It is none of these.
    """
    if wanted in {"auto", "none"}:
        return list(shards) if wanted == "auto" else []
    numbers: set[int] = set()
    for part in wanted.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal()):
            msg = f"cannot tell shards: --shards {wanted}. Give auto, none, or such as 0-99,200."
            raise UsageError(msg)
        numbers.update(range(int(first), min(int(last), len(shards)) + 1))
    return [shard for shard in shards if shard.number in numbers]


def read_record(out: Path, shard: Shard) -> ShardRecord | None:
    """Reads what is in a shard; `None` where it is not labelled, or its files have other sizes."""
    try:
        record: ShardRecord = json_of(shard.path(out, ".json").read_bytes())
        for suffix, file in record["files"].items():
            if shard.path(out, suffix).stat().st_size != file["bytes"]:
                return None
        known = set(record) >= ShardRecord.__required_keys__
        return record if known and tuple(sorted(record["images"])) == shard.keys else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def is_whole(
    out: Path,
    shard: Shard,
    settings: str,
    marks: Callable[[Sequence[str]], Mapping[str, str]] | None = None,
) -> bool:
    """Whether a shard is labelled under these settings and its files are as they were written.

    Nothing is decoded: the bytes are read once.

    Args:
        out: The store.
        shard: One of its plan.
        settings: As `Manifest.settings_digest`.
        marks: Tells what the photographs of some keys are now; unless given, nobody looks.
    """
    record = read_record(out, shard)
    if record is None or record["settings"] != settings:
        return False
    if marks is not None and record["inputs"] != marks(shard.keys):
        return False
    files = record["files"].items()
    return all(file_record(shard.path(out, suffix)) == file for suffix, file in files)


def file_record(path: Path) -> FileRecord | None:
    """Returns size and SHA-256 of a file, `None` where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return FileRecord(bytes=file.tell(), sha256=digest)
    except OSError:
        return None


def shard_segments(out: Path, shards: Iterable[Shard]) -> Iterator[Any]:
    """Yields size and segments of every labelled image in order of key, read line by line.

    Raises:
        ReadError: A shard cannot be read.
    """
    for shard in shards:
        path = shard.path(out, ".jsonl")
        try:
            with path.open("rb") as lines:
                yield from map(json_of, lines)
        except (OSError, ValueError) as error:
            msg = f"cannot read segments: {path}. Label it again with --shards {shard.number}."
            raise ReadError(msg) from error


@dataclass(frozen=True)
class TarMember:
    """One file in a tar that is read as if it lay in a folder."""

    tar: Path
    name: str
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        """Returns its content; raises `OSError`."""
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        """Returns where it is, for people."""
        return f"{self.tar}/{self.name}"


class ShardFiles:
    """Finds the files of images in the tars of a store; few tables of contents are held.

    Args:
        out: The store.
        shards: Its plan.
    """

    def __init__(self, out: Path, shards: Sequence[Shard]) -> None:
        self._out, self._shards = Path(out), shards
        self._first_keys = [shard.keys[0] for shard in shards]
        self._indices: dict[int, dict[str, TarMember]] = {}

    def find(self, key: str, ending: str) -> TarMember:
        """Returns the file KEY.ENDING; raises `ReadError` where there is none."""
        number = max(0, bisect_right(self._first_keys, key) - 1)
        if not self._shards:
            raise ReadError(f"no labels of {key}: {self._out} (it has no images). Check the key.")
        tar = self._shards[number].path(self._out, ".tar")
        index = self._indices.get(number)
        if index is None:  # threads may read the same one twice, none waits
            index = _members(tar)
            if len(self._indices) >= _INDICES_HELD:
                self._indices.pop(next(iter(self._indices)), None)
            self._indices[number] = index
        name = f"{key}.{ending}"
        if name not in index:
            raise ReadError(f"no labels of {key}: {tar} (no {name} in it). Check the key.")
        return index[name]


def _members(tar: Path) -> dict[str, TarMember]:
    try:
        with tarfile.open(tar, "r:") as archive:
            return {
                member.name: TarMember(tar, member.name, member.offset_data, member.size)
                for member in archive
            }
    except (OSError, tarfile.TarError) as error:
        msg = f"cannot read labels: {tar}. Make it again with --shards {int(tar.stem)}."
        raise ReadError(msg) from error
