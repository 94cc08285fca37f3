"""Training: `python train.py fit|validate|test --config configs/train/NAME.yaml --out DIR`.

python train.py [fit --config FILE --out DIR]   without options: the sample; again: from last.ckpt
python train.py validate --config FILE --ckpt_path DIR/checkpoints/last.ckpt --out DIR
python train.py rounds --config FILE    a class-agnostic detector teaches itself, round after round
"""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from pytorch_lightning.cli import LightningArgumentParser

from callbacks.checkpoint_files import checkpoint_to_measure, local_checkpoint
from callbacks.checkpoints import keep_checkpoints_in
from callbacks.metrics_csv import MetricsCsv
from callbacks.standing import TRAINING
from callbacks.training_folder import CHECKPOINTS, TrainingFolder
from callbacks.watched_run import watch_processes
from relief.formats.files.atomic import write_text
from relief.formats.files.lock import held
from relief.processes.scripts import make_labels
from relief.schema.training_settings import refuse_other_order
from relief.studies.detector_rounds import run_rounds

SAMPLE = "train/sample.yaml"
DEFAULTS = {"use_distributed_sampler": False, "enable_autolog_hparams": False}


class TrainCLI(cli.ReliefCLI):
    """A module and its data, run by Lightning's own loops."""

    standing = TRAINING

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The options of every script, and the labels that a recipe makes first."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--label_runs",
            type=dict[str, list[str]] | None,
            default=None,
            help="Label stores by folder, with the arguments of label.py that make them.",
        )

    def before_instantiate_classes(self) -> None:
        """Refuses what cannot be trained or measured before anything is built."""
        super().before_instantiate_classes()
        if self.config[self.subcommand].ckpt_path:
            local_checkpoint(self.config[self.subcommand].ckpt_path)
        if self.subcommand == "fit":
            refuse_other_order(self.plain_config()["fit"]["trainer"])
            if cli.is_first_process():
                self.held.enter_context(held(self.out))

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """The trainer, its checkpoints and figures in the output folder."""
        trainer = super().instantiate_trainer(**kwargs)
        keep_checkpoints_in(trainer, self.out / CHECKPOINTS)
        asked = self.config_init[self.subcommand]
        trainer.ckpt_path, asked.ckpt_path = asked.ckpt_path, None  # known when networks are built
        if self.subcommand == "fit":
            trainer.loggers = [MetricsCsv(self.out / "metrics.csv")]
        return trainer

    def before_fit(self) -> None:
        """Refuses a training that cannot begin; its folder changes when it does."""
        config, asked = self.plain_config()["fit"], self.option("fit")
        self.model.keep_settings(config["model"]["init_args"])
        begin = partial(cli.open_out, self.out, self.resolved_yaml())
        folder = TrainingFolder(self.out, config, asked.overwrite, begin)
        folder.find_start(self.trainer, self.model)
        self.make_labels()
        if cli.is_first_process():
            folder.compare_data(self.trainer, self.datamodule)

    def before_validate(self) -> None:
        """Finds the checkpoint and the labels that name its classes."""
        if self.trainer.ckpt_path is None:
            self.trainer.ckpt_path = str(checkpoint_to_measure(self.out / CHECKPOINTS))
        self.make_labels()

    before_test = before_validate

    def make_labels(self) -> None:
        """Makes the labels that the recipe names; other ranks meet this one when they join."""
        if cli.is_first_process():
            runs = (self.option(str(self.subcommand)).label_runs or {}).items()
            make_labels([[*run, "--out", store] for store, run in runs], cli.say)

    def after_validate(self) -> None:
        """Writes the figures; `fit` has its own file."""
        if self.trainer.is_global_zero:
            figures = {name: float(f) for name, f in self.trainer.callback_metrics.items()}
            write_text(self.out / f"{self.subcommand}.json", json.dumps(figures, indent=1) + "\n")
            cli.say_all([f"{name}: {value:.2f}" for name, value in figures.items()])

    after_test = after_validate


def main(args: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit code. Without arguments: `fit` with the sample."""
    given = list(sys.argv[1:] if args is None else args) or ["fit"]
    subcommand, options = given[:1], given[1:]
    if subcommand == ["rounds"]:
        return run_rounds(options, cli.say)
    has_name = not subcommand[0].startswith("-")  # else the parser says what is wrong
    arguments = [*subcommand, *cli.with_default_config(options, SAMPLE)] if has_name else given
    watch_processes()
    TrainCLI(arguments, cli.default_out("train", options), trainer_defaults=DEFAULTS)
    return cli.EXIT_DONE


if __name__ == "__main__":
    sys.exit(cli.exit_code(main))
