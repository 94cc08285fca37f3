"""Packs the labels of a shard, once they are whole, into a tar that is the same every time."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from relief.formats.coco.panoptic import described_images
from relief.formats.files.atomic import WriteError, whole_file, write_text
from relief.formats.label_store import CONFIDENCE, PANOPTIC, SEMANTIC, LabelStore
from relief.formats.shards.store import FileRecord, Shard, ShardRecord, file_record


def write_shard(out: Path, shard: Shard, store: LabelStore, settings: str) -> ShardRecord:
    """Writes the tar of a shard, its segments, and last the record that makes it count.

    Args:
        out: The store.
        shard: One of its plan.
        store: Labels of its images alone, completed: every file in it was decoded.
        settings: As `Manifest.settings_digest` of the store.

    Returns:
        The record.

    Raises:
        ReadError: A label file cannot be read.
        WriteError: A file cannot be written, or does not read back as it was written.
    """
    manifest = store.manifest
    counts = Counter({"labelled": 0, "failed": 0, "objects": 0})
    counts.update(manifest.images.values())
    files = {
        ".tar": _write(shard.path(out, ".tar"), _tar_pieces(store)),
        ".jsonl": _write(shard.path(out, ".jsonl"), _segment_lines(store, counts)),
    }
    record = ShardRecord(
        counts=dict(counts),
        failures=dict(manifest.failures),
        files=files,
        images=dict(manifest.images),
        inputs=dict(manifest.inputs),
        settings=settings,
    )
    write_text(shard.path(out, ".json"), json.dumps(record, sort_keys=True, indent=1) + "\n")
    return record


def _tar_pieces(store: LabelStore) -> Iterator[bytes]:
    """Headers without times and owners, contents, and the blocks of zeros that end a tar."""
    confidence = [] if store.manifest.confidence is None else [CONFIDENCE]
    written = 0
    for key in store.keys:
        for kind in (*confidence, PANOPTIC, SEMANTIC):
            data = store.file(kind, key).read_bytes()
            entry = tarfile.TarInfo(f"{key}.{kind}.png")
            entry.size = len(data)
            header = entry.tobuf(tarfile.PAX_FORMAT)
            padding = bytes(-len(data) % tarfile.BLOCKSIZE)
            written += len(header) + len(data) + len(padding)
            yield header + data + padding
    ending = 2 * tarfile.BLOCKSIZE
    yield bytes(ending + -(written + ending) % tarfile.RECORDSIZE)


def _segment_lines(store: LabelStore, counts: Counter[str]) -> Iterator[bytes]:
    things = set(store.thing_ids or ())
    maps = partial(store.file, PANOPTIC)
    for image in described_images(maps, store.keys, store.confidence):
        segments = image["segments_info"]
        counts["objects"] += sum(segment["category_id"] in things for segment in segments)
        yield json.dumps(image, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _write(path: Path, pieces: Iterator[bytes]) -> FileRecord:
    """Writes a file and reads it once again."""
    digest, size = hashlib.sha256(), 0
    with whole_file(path) as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    written = FileRecord(bytes=size, sha256=digest.hexdigest())
    if file_record(path) != written:
        path.unlink(missing_ok=True)
        msg = f"cannot write {path}: it does not read back as it was written."
        raise WriteError(msg)
    return written
