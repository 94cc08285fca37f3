"""The label store: OUT/manifest.json; KEY.png in semantic/, panoptic/, confidence/, or shards."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.files.atomic import write_text
from relief.formats.label_png import (
    IGNORE_8_BIT,
    IGNORE_16_BIT,
    ByteSource,
    read_compact,
    read_ids,
    read_png,
    read_semantic,
    write_png,
    write_semantic_png,
)
from relief.formats.reader import path_of_key, refuse_other_size
from relief.formats.segment_ids import (
    INSTANCE_BITS,
    MAX_INSTANCES,
    read_segment_ids,
    segment_ids,
    write_segment_ids,
)
from relief.formats.shards.store import ShardFiles, plan_shards
from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import VOID
from relief.schema.manifest import Manifest

MANIFEST = "manifest.json"
SEMANTIC = "semantic"
PANOPTIC = "panoptic"
CONFIDENCE = "confidence"


class LabelStore:
    """Reads what a labelling run wrote; fits `relief.formats.reader.LabelReader`."""

    free_arguments = frozenset({"out"})

    def __init__(self, out: Path) -> None:
        self.out = Path(out)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the labels.

        Raises:
            UsageError: There is none, or it cannot be read.
        """
        return read_manifest(self.out)

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images that were labelled."""
        return self.manifest.keys("labelled")

    @property
    def num_categories(self) -> int:
        """Clusters, or classes where the ids are classes."""
        return self.manifest.num_categories

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """Ids that are things; `None` while a run has not decided."""
        return self.manifest.thing_ids

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 ids before splitting, -1 = ignore; raises `ReadError`."""
        return read_semantic(self.file(SEMANTIC, key))

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64, as it was predicted.

        Thing pixels without an instance, void in the file, are (semantic, 0) again.

        Raises:
            ReadError: A file of this image cannot be read, or the two differ in size.
        """
        return self.panoptic_at(key, None)[0]

    def panoptic_at(self, key: str, size: tuple[int, int] | None) -> tuple[Tensor, tuple[int, int]]:
        """As `reader.panoptic_at`; ids are resized as they lie in the files, then unpacked."""
        path = self.file(PANOPTIC, key)
        ids = torch.from_numpy(read_segment_ids(path).view(np.int32))
        compact = read_compact(self.file(SEMANTIC, key))
        refuse_other_size(ids.shape, compact.shape, path)
        own_size = (ids.shape[0], ids.shape[1])
        size = size or own_size
        ids, compact = resize_nearest(ids, size), resize_nearest(compact, size)
        category, instance = (ids >> INSTANCE_BITS) - 1, ids & MAX_INSTANCES
        instance = instance.where(category >= 0, 0)
        loose = self._loose_things(IGNORE_8_BIT if compact.dtype == torch.uint8 else IGNORE_16_BIT)
        loose = loose.index_select(0, compact.flatten().to(torch.int32))
        category = torch.where(category < 0, loose.view_as(category), category)
        return torch.stack((category, instance), dim=-1).to(torch.int64), own_size

    def _loose_things(self, ignore: int) -> Tensor:
        """(ignore + 1,) int32: an id of `semantic/` where it is a thing, else -1."""
        is_thing = self.manifest.is_thing
        known = torch.arange(ignore + 1, dtype=torch.int32)
        loose = known.where(is_thing[known.clamp(max=len(is_thing) - 1)], VOID)
        loose[ignore] = VOID
        return loose

    def confidence(self, key: str) -> Tensor | None:
        """(H, W) float32 in [0, 1] in steps of 1/255; `None` where no labeller said how sure it is.

        Raises:
            ReadError: The file is missing or cannot be read.
        """
        if self.manifest.confidence is None:
            return None
        return read_ids(self.file(CONFIDENCE, key)).float() / 255

    def file(self, kind: str, key: str) -> ByteSource:
        """Returns a label file of an image, in a folder or in the tar of its shard.

        Args:
            kind: `semantic`, `panoptic` or `confidence`.
            key: The image.

        Raises:
            ReadError: The tar of its shard cannot be read, or does not hold it.
        """
        if self._shards is None:
            return path_of_key(self.out / kind, key, ".png")
        return self._shards.find(key, f"{kind}.png")

    @cached_property
    def _shards(self) -> ShardFiles | None:
        if not (self.out / MANIFEST).is_file() or self.manifest.shard_size is None:
            return None
        return ShardFiles(self.out, plan_shards(self.manifest))

    def readable(self, key: str) -> bool:
        """Whether all files of an image are there, whole and of one size."""
        try:
            panoptic = read_segment_ids(self.file(PANOPTIC, key))
            semantic = read_png(self.file(SEMANTIC, key))
            is_sure = self.manifest.confidence is not None
            sure = read_png(self.file(CONFIDENCE, key)) if is_sure else semantic
        except ReadError:
            return False
        return panoptic.shape == semantic.shape == sure.shape


def finished_store(out: Path) -> LabelStore:
    """Opens labels whose run has come to its end.

    Raises:
        UsageError: There are none, or the run was stopped before things were decided.
    """
    store = LabelStore(out)
    if store.thing_ids is None:
        msg = f"labels are not finished: {out}. Run the same label.py command again."
        raise UsageError(msg)
    return store


def semantic_path(out: Path, key: str) -> Path:
    """OUT/semantic/KEY.png."""
    return path_of_key(Path(out) / SEMANTIC, key, ".png")


def panoptic_path(out: Path, key: str) -> Path:
    """OUT/panoptic/KEY.png."""
    return path_of_key(Path(out) / PANOPTIC, key, ".png")


def confidence_path(out: Path, key: str) -> Path:
    """OUT/confidence/KEY.png."""
    return path_of_key(Path(out) / CONFIDENCE, key, ".png")


def read_manifest(out: Path) -> Manifest:
    """Reads OUT/manifest.json.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    path = Path(out) / MANIFEST
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        msg = f"no label store: {out} has no {MANIFEST}. Give the --out folder of a label.py run."
        raise UsageError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read manifest: {path}. Use another folder or --overwrite true."
        raise UsageError(msg) from error
    return Manifest.from_json(text, str(path))


def write_manifest(out: Path, manifest: Manifest) -> None:
    """Writes OUT/manifest.json; raises `WriteError`."""
    write_text(Path(out) / MANIFEST, manifest.to_json())


def write_semantic(out: Path, key: str, semantic: Tensor, num_categories: int) -> None:
    """Writes OUT/semantic/KEY.png: 8-bit, 16-bit when there are more than 255 ids.

    Args:
        out: The store.
        key: The image.
        semantic: (H, W) integers in [-1, num_categories).
        num_categories: Of the whole store, so that all its files are of one depth.

    Raises:
        ValueError: An id is out of range.
        WriteError: The file cannot be written.
    """
    write_semantic_png(semantic_path(out, key), semantic, num_categories)


def write_panoptic(out: Path, key: str, panoptic: Tensor, is_thing: Tensor) -> None:
    """Writes OUT/panoptic/KEY.png, COCO encoded: id = (category + 1) * 32768 + instance.

    Args:
        out: The store.
        key: The image.
        panoptic: (H, W, 2) integers (category, instance). Thing pixels without an instance
            become void; instances of stuff are dropped.
        is_thing: (num_categories,) bool.

    Raises:
        ValueError: A category or an instance is out of range.
        WriteError: The file cannot be written.
    """
    write_segment_ids(panoptic_path(out, key), segment_ids(panoptic, is_thing))


def write_confidence(out: Path, key: str, confidence: Tensor) -> None:
    """Writes OUT/confidence/KEY.png, 8 bits.

    Args:
        out: The store.
        key: The image.
        confidence: (H, W) float in [0, 1].

    Raises:
        ValueError: A value is out of range or not finite.
        WriteError: The file cannot be written.
    """
    if not bool(((confidence >= 0) & (confidence <= 1)).all()):
        msg = "expected confidence in [0, 1]"
        raise ValueError(msg)
    levels = (confidence.float() * 255).round().to(torch.uint8)
    write_png(confidence_path(out, key), levels.numpy())
