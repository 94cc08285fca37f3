"""The folder OUT while workers label its shards, each under a lease, and when they are done."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from relief.formats.files.atomic import remove_temporaries
from relief.formats.files.lock import FolderLock
from relief.formats.label_store import MANIFEST, read_manifest
from relief.formats.shards.store import SHARDS, Shard, is_whole, plan_shards, read_record
from relief.schema.errors import ReadError, UsageError
from relief.schema.manifest import ImageStatus, Manifest, differences

Marks = Callable[[Sequence[str]], Mapping[str, str]]
_READ_AT_ONCE = 4
POLL_S = 2.0  # between two looks at shards that other workers hold


class ShardRun:
    """The shards of a store whose plan and codebook are made.

    Args:
        out: The store.

    Raises:
        UsageError: It has no plan of shards yet.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out)
        manifest = read_manifest(self.out) if (self.out / MANIFEST).exists() else None
        if manifest is None or manifest.shard_size is None or manifest.thing_ids is None:
            msg = f"{out} has no plan of shards. Run the same command with --shards none first."
            raise UsageError(msg)
        self.manifest = manifest
        self.shards = plan_shards(manifest)
        self.settings = manifest.settings_digest()

    def expect(self, manifest: Manifest) -> None:
        """Refuses to add the labels of another configuration or of other images.

        Raises:
            UsageError: With the first difference.
        """
        changed = differences(self.manifest, manifest)
        if changed:
            msg = f"{self.out} was made with {changed[0]}. Use another folder or --overwrite true."
            raise UsageError(msg)
        refuse_another_plan(self.out, self.manifest, manifest)

    def open_shards(self, shards: Sequence[Shard], marks: Marks | None = None) -> list[Shard]:
        """Returns those that are not labelled, or whose files are not as they were written."""
        with ThreadPoolExecutor(_READ_AT_ONCE) as threads:
            whole = threads.map(lambda shard: self.is_whole(shard, marks), shards)
            return [shard for shard, good in zip(shards, whole, strict=True) if not good]

    def is_whole(self, shard: Shard, marks: Marks | None = None) -> bool:
        """See `relief.formats.shards.store.is_whole`."""
        return is_whole(self.out, shard, self.settings, marks)

    @contextmanager
    def leased(self, shard: Shard) -> Iterator[Path | None]:
        """Holds a shard for this worker; yields `None` where another one that lives holds it.

        Yields:
            The folder in which its images are labelled, as the worker before left it.
        """
        lease = shard.path(self.out, ".lease")
        lease.parent.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(lease.parent, name=lease.name)
        if lock.attempt() is not None:
            yield None
            return
        try:
            yield shard.path(self.out, ".work")
        finally:
            lock.release()

    def work_on(self, pending: Sequence[Shard], label: Callable[[Shard, Path], None]) -> None:
        """Calls `label` with each shard and its folder, under a lease.

        Shards that other workers hold are looked at again until they are labelled, or their
        workers are gone.
        """
        damaged = {shard for shard in pending if read_record(self.out, shard) is not None}
        while pending:
            held = []
            for shard in pending:
                if shard not in damaged and read_record(self.out, shard) is not None:
                    continue  # labelled by another worker by now
                with self.leased(shard) as work:
                    if work is None:
                        held.append(shard)
                        continue
                    label(shard, work)
                    shutil.rmtree(work, ignore_errors=True)
            pending = held
            time.sleep(POLL_S if pending else 0)

    def part(self, shard: Shard, work: Path, inputs: Mapping[str, str]) -> Manifest:
        """Returns the manifest of the images of a shard alone, all of them pending.

        Labels of other settings or photographs that were left in the folder are removed.
        """
        images: dict[str, ImageStatus] = dict.fromkeys(shard.keys, "pending")
        part = dataclasses.replace(self.manifest, images=images, inputs=inputs, shard_size=None)
        before = read_manifest(work) if (work / MANIFEST).exists() else part
        if before.inputs != part.inputs or before.settings_digest() != part.settings_digest():
            shutil.rmtree(work)
        return part

    def merged(self, shards: Sequence[Shard]) -> Manifest:
        """Returns the manifest with what the records of some shards say of their images."""
        images: dict[str, ImageStatus] = {}
        inputs, failures = dict[str, str](), dict[str, str]()
        for shard in shards:
            record = read_record(self.out, shard)
            images |= dict.fromkeys(shard.keys, "pending") if record is None else record["images"]
            inputs |= {} if record is None else record["inputs"]
            failures |= {} if record is None else record["failures"]
        return dataclasses.replace(self.manifest, images=images, inputs=inputs, failures=failures)

    def refuse_open_shards(self) -> None:
        """Proves that every shard is whole; what workers left behind in finished ones goes.

        Raises:
            ReadError: Some are not.
        """
        numbers = [str(shard.number) for shard in self.open_shards(self.shards)]
        if numbers:
            named = ",".join(numbers[:8]) + (f" and {len(numbers) - 8} more" * (len(numbers) > 8))
            msg = (
                f"{len(numbers)} of {len(self.shards)} shards are not labelled or damaged: {named}."
                " Run the same command with --shards auto, then with --finish true again."
            )
            raise ReadError(msg)
        for left in (self.out / SHARDS).glob("*.work"):
            shutil.rmtree(left, ignore_errors=True)
        remove_temporaries(self.out / SHARDS)


def refuse_another_plan(out: Path, before: Manifest, now: Manifest) -> None:
    """Refuses other images than those of the plan: every shard would hold others.

    Raises:
        UsageError: With how many there are.
    """
    if before.shard_size is not None and before.images.keys() != now.images.keys():
        msg = (
            f"{out} has a plan of shards for other images: {len(before.images)} then, "
            f"{len(now.images)} now. Use another folder or --overwrite true."
        )
        raise UsageError(msg)
