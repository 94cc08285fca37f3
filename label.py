"""The main job: `python label.py` turns images into panoptic pseudo-labels (see README.md)."""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pytorch_lightning.cli import LightningArgumentParser

from callbacks.standing import LABELLING
from callbacks.watched_run import first_process_first, watch_processes, watched_run
from datamodules.items import Item, refuse_disorder
from datamodules.labelling import LabellingDataModule
from lightning_modules.codebook_passes import add_pass_arguments, expect_codebook, fit_codebook
from lightning_modules.labeler import Labeler
from lightning_modules.shard_work import ShardWork, add_shard_arguments
from relief.formats.label_run import LabelRun
from relief.reports.tables.terminal import print_run_summary
from relief.schema.determinants import determinants
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.ranges import check_at_least


class LabelCLI(cli.ReliefCLI):
    """The labeller under `model`, and beside it the passes that fill its codebook."""

    standing = LABELLING

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The options of a labelling run, and the parts `fitter` and `thingness`."""
        super().add_arguments_to_parser(parser)
        parser.add_argument("--codebook", type=str | None, default=None, help="Use this codebook.")
        parser.add_argument("--limit", type=int | None, default=None, help="Label the first N.")
        parser.add_argument("--if_missing", type=bool, default=False, help="Not if all are there.")
        add_shard_arguments(parser)
        add_pass_arguments(parser)


class LabelJob:
    """One labelling run, step by step."""

    def __init__(self, parsed: LabelCLI) -> None:
        self.parsed, self.option, self.trainer = parsed, parsed.option, parsed.trainer
        self.labeler = cast(Labeler, parsed.model)
        self.data = cast(LabellingDataModule, parsed.datamodule)
        self.run, self.keys = LabelRun(parsed.out), list[str]()
        self.work = ShardWork(self.run, parsed.option)

    def start(self) -> list[Item]:
        """Finds everything that can be wrong with the use, before any work."""
        cli.refuse_precision(self.trainer.precision)
        check_at_least(1, limit=self.option("limit"))
        self.data.prepare_data()
        items = self.data.items()[: self.option("limit")]
        self.keys += [item.key for item in items]
        self.data.expect_room(items, self.trainer.num_devices)
        refuse_disorder(self.data.predict_dataloader())
        self.labeler.expect(has_depth=self.data.depth is not None)
        self.labeler.load_weights()
        if self.option("codebook") is not None:
            self.labeler.read_codebook(Path(self.option("codebook")))
        elif not self.labeler.is_ready:
            expect_codebook(self.data, self.option("fitter"), self.option("thingness"))
        if cli.is_first_process():
            self.work.claim(manifest := self.manifest(), self.trainer.world_size)
            cli.open_out(self.run.out, self.parsed.resolved_yaml(), manifest.notes)
        return items

    def manifest(self) -> Manifest:
        """Makes the manifest of the labels, as far as it is known now."""
        parts = determinants(self.parsed.plain_config())
        inputs = ManifestInputs(parts, self.keys, self.data.depth_record())
        return self.work.planned(self.labeler.manifest(inputs), self.data.marks)

    def fill_codebook(self) -> None:
        """Loads the codebook of this folder, or fits it."""
        path = self.run.codebook_path
        if not self.labeler.is_ready and path.exists() and not self.option("overwrite"):
            self.labeler.read_codebook(path)
        if not self.labeler.is_ready:
            fit_codebook(self.trainer, self.data, self.option("fitter"), self.option("thingness"))
        if self.trainer.is_global_zero and not self.work.is_worker:
            self.labeler.save_codebook(path)

    def label(self, items: Sequence[Item]) -> int:
        """Labels what is not labelled yet; the callbacks write, check, measure and report."""
        is_first = self.trainer.is_global_zero
        done = self.work.begin(self.manifest()) if is_first else set[str]()
        done = self.trainer.strategy.broadcast(done)
        left = [item for item in items if item.key not in done]
        missing = self.work.label(self.trainer, self.labeler, self.data, left)
        return cli.conclude(missing, skip=self.data.on_error == "skip")


def main(args: Sequence[str] | None = None) -> int:
    """Runs the job; returns the exit code."""
    arguments = cli.with_default_config(args, "label/sample.yaml")
    watch_processes()
    out, defaults = cli.default_out("label", arguments), cli.QUIET_TRAINER
    job = LabelJob(LabelCLI(arguments, out, run=False, trainer_defaults=defaults))
    stopwatch = cli.time_steps()
    with watched_run(job.trainer, job.run, job.keys):
        with first_process_first(job.trainer):
            items = job.start()
        if job.option("if_missing") and job.run.is_complete(job.keys):
            cli.say(f"all {len(job.keys)} images are labelled: {job.run.out}")
            return cli.EXIT_DONE
        job.fill_codebook()
        code = job.label(items)
    if cli.is_first_process():
        print_run_summary(job.run.out, stopwatch.steps)
    return code


if __name__ == "__main__":
    sys.exit(cli.exit_code(main))
