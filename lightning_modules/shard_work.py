"""Work on shards: plan them, label those that nobody else labels, prove that all are done."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import pytorch_lightning as pl
from pytorch_lightning.cli import LightningArgumentParser

from relief.formats.label_run import LabelRun, outcome
from relief.formats.label_store import MANIFEST, LabelStore, read_manifest
from relief.formats.shards.run import Marks, ShardRun
from relief.formats.shards.store import Shard, choose_shards
from relief.formats.shards.writer import write_shard
from relief.schema.errors import UsageError
from relief.schema.manifest import Manifest
from relief.schema.ranges import check_at_least

SHARD_SIZE = 2048
log = logging.getLogger("relief")


def add_shard_arguments(parser: LightningArgumentParser) -> None:
    """Adds the options of work on shards."""
    told = "Label these shards, such as 0-99 or auto; none only makes the plan and the codebook."
    parser.add_argument("--shards", type=str, default="", help=told)
    told = f"Images per shard of a new plan ({SHARD_SIZE})."
    parser.add_argument("--shard_size", type=int | None, default=None, help=told)
    parser.add_argument("--finish", type=bool, default=False, help="Prove and list all shards.")


class ShardData(Protocol):
    """The part of a DataModule that work on shards uses."""

    def begin(self, name: Any, items: Sequence[Any], *, shard_folder: Path | None = None) -> None:
        """Says what the next pass reads, and where its labels go."""

    def marks(self, keys: Sequence[str]) -> dict[str, str]:
        """Tells what images are."""


class ShardWork:
    """How a run goes through its images: in one go, or in shards where an option says so.

    Args:
        run: The output folder.
        option: Gives the options of the run by name.

    Raises:
        UsageError: The options contradict each other.
    """

    def __init__(self, run: LabelRun, option: Callable[[str], Any]) -> None:
        self.run, self.wanted, self.finishes = run, option("shards"), option("finish")
        self.size, self.overwrite = option("shard_size"), option("overwrite")
        self.in_shards = bool(self.wanted)
        self.is_worker = self.in_shards and self.wanted != "none"
        choose_shards((), self.wanted or "none")
        check_at_least(1, shard_size=self.size)
        problem = None
        if self.finishes and self.in_shards:
            problem = "--finish true goes without --shards: workers label first, one run finishes."
        elif self.size is not None and not self.in_shards and not self.finishes:
            problem = f"--shard_size {self.size} needs --shards. Plan with --shards none."
        elif self.overwrite and (self.is_worker or self.finishes):
            problem = "--overwrite true would remove what others label. Give it to --shards none."
        if problem is not None:
            raise UsageError(problem)

    def planned(self, manifest: Manifest, marks: Marks) -> Manifest:
        """Returns the manifest with the size of its shards, or with what its images are now."""
        if not (self.in_shards or self.finishes):
            return dataclasses.replace(manifest, inputs=marks(manifest.keys()))
        is_there = (self.run.out / MANIFEST).exists() and not self.overwrite
        before = read_manifest(self.run.out).shard_size if is_there else None
        return dataclasses.replace(manifest, shard_size=self.size or before or SHARD_SIZE)

    def claim(self, manifest: Manifest, devices: int) -> None:
        """Takes the folder for the run, or joins the workers that label in it.

        Raises:
            UsageError: As `LabelRun.claim`; or there is no plan of shards, or another one.
            ReadError: The run is to finish, and a shard is not whole.
        """
        if (self.in_shards or self.finishes) and devices > 1:
            msg = f"a worker has one process: {devices} devices given. Start more workers instead."
            raise UsageError(msg)
        if self.is_worker or self.finishes:
            shards = ShardRun(self.run.out)
            shards.expect(manifest)
        if not self.is_worker:
            self.run.claim(manifest, overwrite=self.overwrite)
        if self.finishes:
            shards.refuse_open_shards()

    def begin(self, manifest: Manifest) -> set[str]:
        """Writes the manifest of the run, or the plan; returns the images that are done."""
        if self.finishes:
            return set(manifest.images)
        if not self.in_shards:
            return self.run.begin(manifest)
        self.run.plan(manifest)
        return set()

    def label(
        self, trainer: pl.Trainer, labeler: pl.LightningModule, data: Any, items: Sequence[Any]
    ) -> str | None:
        """Labels images; the callbacks write, check, measure and report.

        Args:
            trainer: Runs a pass, or one for each shard.
            labeler: With its codebook.
            data: A DataModule that fits `ShardData`.
            items: The images, with `key`.

        Returns:
            A line on the images without labels; `None` without any, and in all but one process.
        """
        if self.in_shards:
            return outcome(self._label_shards(trainer, labeler, data, items))
        cast(ShardData, data).begin("label", items)
        trainer.predict(labeler, datamodule=data, return_predictions=False)
        return outcome(read_manifest(self.run.out)) if trainer.is_global_zero else None

    def _label_shards(
        self, trainer: pl.Trainer, labeler: pl.LightningModule, data: Any, items: Sequence[Any]
    ) -> Manifest:
        """Labels the shards that are asked for; waits for those that others label.

        A shard whose worker is gone is taken over, with the images that it has labelled.
        """
        run, source = ShardRun(self.run.out), cast(ShardData, data)
        item_of = {item.key: item for item in items}

        def label(shard: Shard, work: Path) -> None:
            inputs = source.marks(shard.keys)
            if run.is_whole(shard, lambda _: inputs):
                return  # another worker was faster
            labels = LabelRun(work)
            done = labels.begin(run.part(shard, work, inputs))
            todo = [item_of[key] for key in shard.keys if key not in done]
            source.begin("shard", todo, shard_folder=work)
            trainer.predict(labeler, datamodule=data, return_predictions=False)
            labels.complete()
            record = write_shard(run.out, shard, LabelStore(work), run.settings)
            log.info("shard %d: %d images", shard.number, record["counts"]["labelled"])

        chosen = choose_shards(run.shards, self.wanted)
        pending = run.open_shards(chosen, source.marks)
        log.info("%d of %d shards to label", len(pending), len(chosen))
        run.work_on(pending, label)
        return run.merged(chosen)
