"""The output folder of a labelling run: claimed first, filled file by file, then completed."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from torch import Tensor

from relief.formats.files.atomic import check_writable, remove_temporaries, write_text
from relief.formats.files.lock import FolderLock
from relief.formats.label_store import (
    CONFIDENCE,
    MANIFEST,
    PANOPTIC,
    SEMANTIC,
    LabelStore,
    panoptic_path,
    read_manifest,
    semantic_path,
    write_confidence,
    write_manifest,
    write_semantic,
)
from relief.formats.reader import path_of_key
from relief.formats.segment_ids import (
    checked_segment_ids,
    refuse_too_many_categories,
    write_segment_ids,
)
from relief.formats.shards.run import ShardRun, refuse_another_plan
from relief.formats.shards.store import SHARDS, plan_shards, read_record
from relief.schema.batch import Failure
from relief.schema.errors import UsageError
from relief.schema.manifest import ImageStatus, Manifest, differences

CODEBOOK = "codebook.safetensors"
FAILED = "failed"
NOT_REACHED = "not labelled yet"
log = logging.getLogger("relief")
_LABELS = (SEMANTIC, PANOPTIC, CONFIDENCE, SHARDS)
_MADE_BY_A_RUN = (MANIFEST, *_LABELS, "panoptic.json", CODEBOOK, FAILED)


class LabelRun:
    """The folder OUT while labels are being written into it.

    Args:
        out: The folder; need not exist yet.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out)
        self.lock = FolderLock(self.out)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest as it was written at the start of the run."""
        return read_manifest(self.out)

    @property
    def codebook_path(self) -> Path:
        """OUT/codebook.safetensors."""
        return self.out / CODEBOOK

    def claim(self, manifest: Manifest, *, overwrite: bool) -> None:
        """Takes the folder for this configuration; only the first process calls this.

        Raises:
            UsageError: It cannot be written, another run is writing to it, or it holds labels of
                another configuration. Nothing was written or removed then.
        """
        refuse_too_many_categories(manifest.num_categories)
        self._refuse_another_configuration(manifest, overwrite)
        check_writable(self.out)
        self.lock.acquire()
        self._refuse_another_configuration(manifest, overwrite)
        if overwrite:
            self._remove_labels()
        if manifest.shard_size is None:  # else workers may be at work
            remove_temporaries(self.out)
        if not (self.out / MANIFEST).exists():  # a codebook never lies here without its settings
            write_manifest(self.out, manifest)

    def _refuse_another_configuration(self, manifest: Manifest, overwrite: bool) -> None:
        if (self.out / MANIFEST).exists() and not overwrite:
            changed = differences(read_manifest(self.out), manifest)
            if changed:
                made, _, now = changed[0].partition(", ")
                more = f" ({len(changed) - 1} more differences)" if len(changed) > 1 else ""
                msg = (
                    f"{self.out} was made with {made}, {now}{more}. "
                    "Use another folder or --overwrite true."
                )
                raise UsageError(msg)
            refuse_another_plan(self.out, read_manifest(self.out), manifest)
            self._refuse_other_images(read_manifest(self.out).inputs, manifest.inputs)

    def _refuse_other_images(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Labels of one photograph are never taken for those of another of the same name."""
        shared = sorted(before.keys() & now.keys())
        other = [key for key in shared if before[key] != now[key] and self._has_labels(key)]
        if other:
            msg = (
                f"{self.out} has labels of other images: {len(other)} of {len(shared)} have "
                f"changed since, such as {other[0]}. Use another folder or --overwrite true."
            )
            raise UsageError(msg)

    def _has_labels(self, key: str) -> bool:
        return panoptic_path(self.out, key).exists()

    def plan(self, manifest: Manifest) -> None:
        """Writes the plan of shards, all images pending, once the codebook is known."""
        if read_manifest(self.out).thing_ids is None:
            images: dict[str, ImageStatus] = dict.fromkeys(manifest.images, "pending")
            write_manifest(self.out, dataclasses.replace(manifest, images=images))
        shards = plan_shards(read_manifest(self.out))
        log.info("%d images in %d shards", len(manifest.images), len(shards))

    def begin(self, manifest: Manifest) -> set[str]:
        """Writes the manifest of the run, every image pending.

        Returns:
            The images that are labelled already.
        """
        images: dict[str, ImageStatus] = dict.fromkeys(manifest.images, "pending")
        write_manifest(self.out, dataclasses.replace(manifest, images=images))
        shutil.rmtree(self.out / FAILED, ignore_errors=True)
        keys = manifest.keys()
        done = set(self.labelled(keys))
        if done:
            left = len(keys) - len(done)
            log.info("%d of %d images already labelled, %d to do", len(done), len(keys), left)
        return done

    def write(
        self,
        key: str,
        semantic: Tensor,
        segments: Tensor,
        num_categories: int,
        confidence: Tensor | None = None,
    ) -> None:
        """Writes the label files of an image.

        Args:
            key: The image.
            semantic: (H, W) ids before splitting.
            segments: (H, W) int32, see `compose_segment_ids`.
            num_categories: As the process that labels knows it: the manifest may have been written
                by another host.
            confidence: (H, W) in [0, 1], where the labeller says how sure it is.

        Raises:
            ValueError: There are more instances or categories than a file can hold.
            WriteError: The disk is full or went away; nothing half-written stays.
        """
        write_semantic(self.out, key, semantic, num_categories)
        if confidence is not None:
            write_confidence(self.out, key, confidence)
        try:
            ids = checked_segment_ids(segments, num_categories)
            write_segment_ids(panoptic_path(self.out, key), ids)
        except Exception:
            semantic_path(self.out, key).unlink(missing_ok=True)
            raise

    def record_failure(self, failure: Failure) -> None:
        """Notes why an image has no labels, so that every rank's notes reach the report."""
        write_text(path_of_key(self.out / FAILED, failure["key"], ".txt"), failure["reason"])

    def labelled(self, keys: Sequence[str]) -> list[str]:
        """Which images are done: both files decode whole. Says which have files that do not."""
        done = []
        with ThreadPoolExecutor(os.cpu_count()) as threads:  # decoding frees the interpreter
            whole = list(threads.map(LabelStore(self.out).readable, keys))
        for key, is_whole in zip(keys, whole, strict=True):
            if is_whole:
                done.append(key)
            elif panoptic_path(self.out, key).exists():
                log.info("re-labelling %s: existing label is not readable", key)
        return done

    def count(self, keys: Sequence[str]) -> int:
        """How many images have both files; quick, nothing is decoded."""
        if (self.out / SHARDS).is_dir():
            shards = plan_shards(read_manifest(self.out))
            records = (read_record(self.out, shard) for shard in shards)
            return sum(record["counts"]["labelled"] for record in records if record is not None)
        paths = (panoptic_path, semantic_path)
        return sum(all(path(self.out, key).exists() for path in paths) for key in keys)

    def is_complete(self, keys: Sequence[str]) -> bool:
        """Whether an earlier run labelled all these images; quick, nothing is decoded."""
        images = read_manifest(self.out).images
        labelled = all(images.get(key) == "labelled" for key in keys)
        return labelled and self.count(keys) == len(keys)

    def complete(self) -> Manifest:
        """Checks every file and writes the final statuses; only the first process calls this."""
        if self.manifest.shard_size is not None:  # each was checked when it was packed
            shards = ShardRun(self.out)
            write_manifest(self.out, completed := shards.merged(shards.shards))
            return completed
        keys = self.manifest.keys()
        done = set(self.labelled(keys))
        statuses: dict[str, ImageStatus] = {
            key: "labelled" if key in done else "failed" for key in keys
        }
        failures = {key: self._reason(key) for key in keys if key not in done}
        completed = dataclasses.replace(self.manifest, images=statuses, failures=failures)
        write_manifest(self.out, completed)
        return completed

    def _reason(self, key: str) -> str:
        path = path_of_key(self.out / FAILED, key, ".txt")
        return path.read_text(encoding="utf-8") if path.exists() else NOT_REACHED

    def _remove_labels(self) -> None:
        for name in _MADE_BY_A_RUN:
            path = self.out / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def outcome(manifest: Manifest, most_named: int = 5) -> str | None:
    """One line on the images without labels, with the remedy; `None` when there are none.

    Args:
        manifest: As `LabelRun.complete` wrote it; what is pending in it nobody wrote.
        most_named: At most this many images are named.
    """
    failures = {**dict.fromkeys(manifest.keys("pending"), NOT_REACHED), **manifest.failures}
    if not failures:
        return None
    total = len(manifest.images)
    named = sorted(failures)[:most_named]
    more = "" if len(failures) <= most_named else f" and {len(failures) - most_named} more"
    if NOT_REACHED in failures.values():
        return (
            f"labelled {total - len(failures)} of {total} images; missing: {', '.join(named)}{more}"
            f" ({len(failures)} in all). Run the same command again to label the rest."
        )
    reasons = "; ".join(f"{key}: {failures[key].removeprefix(f'{key}: ')}" for key in named)
    return (
        f"cannot label {len(failures)} of {total} images: {reasons}{more} "
        "Or pass --data.init_args.on_error skip."
    )
