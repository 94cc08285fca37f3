"""Training: `python train.py fit|validate|test --config configs/train/NAME.yaml --out DIR`.

python train.py                         Stage 2 on the embedded sample, labels included
python train.py fit --config FILE --out DIR [--overwrite true]      again: goes on from last.ckpt
python train.py validate --config FILE --ckpt_path DIR/checkpoints/last.ckpt --out DIR
"""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import TensorBoardLogger

from callbacks import checkpoints
from callbacks.interruption import Interruption
from callbacks.metrics_csv import MetricsCsv
from callbacks.watched_run import watch_processes
from datamodules.label_runs import make_labels
from relief.formats.atomic import write_text
from relief.formats.folder_lock import held
from relief.schema.errors import UsageError
from relief.schema.training_settings import refuse_other_order

SAMPLE = "train/sample.yaml"
CHECKPOINTS = "checkpoints"


class TrainCLI(cli.ReliefCLI):
    """A module and its data, run by Lightning's own loops."""

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
        """Finds what is there before anything is built: labels, and a training to go on with."""
        super().before_instantiate_classes()
        config, fits = self.config[self.subcommand], self.subcommand == "fit"
        if config.ckpt_path:
            checkpoints.local_checkpoint(config.ckpt_path)
        if fits:
            refuse_other_order(self.plain_config()["fit"]["trainer"])
        if cli.is_first_process():  # the other ranks meet it when the processes join
            if fits:
                self.held.enter_context(held(self.out))
            for store, arguments in (config.label_runs or {}).items():
                make_labels(Path(store), arguments)
        if config.ckpt_path or (fits and config.overwrite):
            return
        found = checkpoints.newest_checkpoint(self.out / CHECKPOINTS)
        if found is not None:
            if fits:
                checkpoints.refuse_other_settings(self.out / "run.yaml", self.plain_config(), found)
            cli.say(f"{'going on from' if fits else 'measuring'} {found}")
            config.ckpt_path = str(found)
        elif not fits:
            msg = f"no checkpoint: {self.out / CHECKPOINTS}. Give --ckpt_path FILE or --out DIR."
            raise UsageError(msg)

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """The trainer, its checkpoints and figures in the output folder."""
        trainer = super().instantiate_trainer(**kwargs)
        checkpoints.keep_checkpoints_in(trainer, self.out / CHECKPOINTS)
        asked = self.config_init[self.subcommand]
        trainer.ckpt_path, asked.ckpt_path = asked.ckpt_path, None  # known when networks are built
        if self.subcommand == "fit":
            trainer.loggers = [
                MetricsCsv(self.out / "metrics.csv"),
                TensorBoardLogger(self.out, name="tensorboard", version=""),
            ]
        return trainer

    def before_fit(self) -> None:
        """Finds what is missing, then keeps the configuration beside what it makes."""
        if self.trainer.ckpt_path is None:
            self.model.find_start()
        if cli.is_first_process():
            cli.open_out(self.out, self.resolved_yaml())

    def after_validate(self) -> None:
        """Writes the figures; `fit` has its own file."""
        if self.trainer.is_global_zero:
            figures = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
            write_text(self.out / f"{self.subcommand}.json", json.dumps(figures, indent=1) + "\n")
            for name, value in figures.items():
                cli.say(f"{name}: {value:.2f}")

    after_test = after_validate


def main(args: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit code. Without arguments: `fit` with the sample."""
    given = list(sys.argv[1:] if args is None else args) or ["fit"]
    subcommand, options = given[:1], given[1:]
    if subcommand[0].startswith("-"):
        arguments = given  # --help, or options without a subcommand: the parser says so
    else:
        arguments = [*subcommand, *cli.with_default_config(options, SAMPLE)]
    defaults = {"use_distributed_sampler": False, "callbacks": [Interruption()]}
    watch_processes()
    TrainCLI(arguments, cli.default_out("train", options), trainer_defaults=defaults)
    return cli.EXIT_DONE


if __name__ == "__main__":
    sys.exit(cli.exit_code(main))
