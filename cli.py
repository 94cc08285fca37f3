"""Shared by the scripts: the default recipe, `--out`, exit codes, one-line errors."""

from __future__ import annotations

import os

# Waiting threads of OpenMP spin; on a machine whose cores are shared this made k-means 40 times
# slower (measured). Must be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import sys

from relief.processes.lean_imports import lean_torchmetrics
from relief.processes.short_help import short_help

if (page := short_help(sys.argv[0], sys.argv[1:])) is not None:
    sys.stdout.write(page)  # before the libraries, which take seconds
    sys.exit(0)

import inspect
import json
import logging
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

with lean_torchmetrics():
    import pytorch_lightning as pl
    from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

from jsonargparse import ArgumentError

from relief.formats.files.atomic import check_writable, write_text
from relief.models.weights.configured import check_weights
from relief.processes.recipes import RECIPES as CONFIGS
from relief.processes.recipes import with_recipe_files
from relief.processes.signals import end_reading_processes, stopped_by_signals
from relief.reports import run_log
from relief.reports.run_log import open_log, start_log, step, time_steps
from relief.reports.telling import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    EXIT_USAGE,
    complain,
    ended,
    is_first_process,
    one_line,
    say,
    say_all,
    show,
    tell_failure,
)
from relief.schema.errors import ReliefError, StoppedBySignal, UsageError

__all__ = ["ended", "say", "show", "start_log", "step", "time_steps"]  # the scripts find them here
QUIET_TRAINER = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "use_distributed_sampler": False,
}


def with_default_config(args: Sequence[str] | None, recipe: str) -> list[str]:
    """The arguments, with `--config RECIPE` in front unless they name one, by path or by name.

    The sample's recipe is never merged under another: an image folder without a root must not
    silently become the sample.
    """
    given = with_recipe_files(sys.argv[1:] if args is None else args, recipe.partition("/")[0])
    if any(a in {"-c", "--config"} or a.startswith("--config=") for a in given):
        return given
    return ["--config", str(CONFIGS / recipe), *given]


def default_out(kind: str, args: Sequence[str]) -> Path:
    """`outputs/KIND/STEM`, where STEM is that of the first `--config` among the arguments."""
    for i, argument in enumerate(args):
        if argument.startswith("--config="):
            return Path("outputs", kind, Path(argument.partition("=")[2]).stem)
        if argument in {"-c", "--config"} and i + 1 < len(args):
            return Path("outputs", kind, Path(args[i + 1]).stem)
    return Path("outputs", kind, "sample")


class ReliefCLI(LightningCLI):
    """LightningCLI with Relief's manners: parts by `class_path`, errors raised, no side files.

    Callbacks that a user names come beside those that stand, or in the place of one of their class.
    Its subcommands run while it is made; what `held` has entered by then is left at their end.
    """

    standing: Mapping[str, type[pl.Callback]] = {}

    def __init__(self, args: Sequence[str], out: Path, **kwargs: Any) -> None:
        self.out = out
        defaults: dict[str, Any] = {
            "subclass_mode_model": True,
            "subclass_mode_data": True,
            "save_config_callback": None,
            "seed_everything_default": 0,
            "parser_kwargs": {"exit_on_error": False},
        }
        quiet_libraries()
        options = {"args": list(args), **defaults, **kwargs}
        with ExitStack() as self.held:
            super().__init__(pl.LightningModule, pl.LightningDataModule, **options)

    def _parse_ckpt_path(self) -> None:
        """Takes no settings out of checkpoints; a damaged one is told where it is read."""

    def before_instantiate_classes(self) -> None:
        """The output folder reaches callbacks as the trainer's root."""
        config = self.config[self.subcommand] if self.subcommand else self.config
        self.out = Path(config.get("out") or self.out)
        config["trainer"]["default_root_dir"] = str(self.out)
        check_weights(self.plain_config(), config.get("config") or [])

    def instantiate_classes(self) -> None:
        """Makes the parts; what one of them refuses is told in its own line, not the parser's."""
        config = self.config[self.subcommand] if self.subcommand else self.config
        if config["trainer"].get("accelerator") == "cpu":
            # Lightning asks every GPU that it can see for its random numbers, which takes memory.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        try:
            super().instantiate_classes()
        except ValueError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, ReliefError):
                cause = cause.__cause__
            if cause is None:
                raise
            raise cause from None

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The options every script has."""
        parser.add_argument("--out", type=str | None, default=None, help="Output folder.")
        parser.add_argument(
            "--overwrite", type=bool, default=False, help="Start anew in a folder that is in use."
        )
        for name, part in self.standing.items():
            if has_options(part):
                parser.add_lightning_class_args(part, name)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[pl.Callback]) -> Any:
        named = config.get("callbacks") or []
        named = list(named) if isinstance(named, Sequence) else [named]
        made = {type(part): part for part in callbacks}
        kinds = {type(part) for part in named}
        stand = [made.get(kind) or kind() for kind in self.standing.values() if kind not in kinds]
        order = list(self.standing.values())
        both = [*named, *stand]
        both.sort(key=lambda part: order.index(type(part)) if type(part) in order else -1)
        return super()._instantiate_trainer({**config, "callbacks": both}, [])

    def option(self, name: str) -> Any:
        """The value of an option, or the part of that name."""
        return self.config_init.get(name)

    def resolved_yaml(self) -> str:
        """The whole resolved configuration."""
        return str(self.parser.dump(self.config, skip_link_targets=True))

    def plain_config(self) -> dict[str, Any]:
        """The resolved configuration as nested plain values."""
        dumped = self.parser.dump(self.config, format="json", skip_link_targets=True)
        return dict(json.loads(dumped))


def has_options(part: type) -> bool:
    """Whether a class takes arguments."""
    return len(inspect.signature(part).parameters) > 0


def refuse_precision(precision: Any) -> None:
    """Refuses a trainer's precision for labelling: it reaches similarities and depth edges too.

    Raises:
        UsageError: It is not full float32.
    """
    if precision not in (None, "32-true", "32", 32):
        msg = (
            f"label.py computes in float32 beside its networks: --trainer.precision {precision}. "
            "Leave it out; for networks there is --model.init_args.precision bfloat16."
        )
        raise UsageError(msg)


def quiet_libraries() -> None:
    """Our lines are for people: Lightning's advice about workers and loggers is not."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
    warnings.filterwarnings("ignore", message=".*LightningCLI.*args.*")
    warnings.filterwarnings("ignore", message="This DataLoader will create .* worker processes")
    open_log(speaks=is_first_process())


def exit_code(
    main: Callable[[Sequence[str] | None], int], args: Sequence[str] | None = None
) -> int:
    """Runs a script's `main`; what people do wrong becomes one line and exit code 2.

    Anything else that is raised is a fault of ours: one line and exit code 1; the traceback goes
    to the log.
    """
    try:
        with stopped_by_signals():
            return main(args)
    except SystemExit as error:  # --help, --print_config
        return error.code if isinstance(error.code, int) else EXIT_USAGE
    except StoppedBySignal as error:
        tell_failure(error, one_line(error))
        return 128 + error.number
    except ReliefError as error:
        tell_failure(error, f"error: {one_line(error)}")
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_INCOMPLETE
    except (ArgumentError, MisconfigurationException) as error:
        tell_failure(error, f"error: {one_line(error)}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        complain("stopped by SIGINT. Run the same command again to go on.")
        return 130
    except Exception as error:
        return _fault(error)
    finally:
        end_reading_processes()


def open_out(out: Path, yaml: str, notes: Iterable[str] = ()) -> None:
    """Begins the log of the output folder, keeps the whole configuration there, says the notes."""
    check_writable(out)
    start_log(out)
    write_text(out / "run.yaml", yaml)
    say_all(notes)


def conclude(line: str | None, *, skip: bool) -> int:
    """The exit code of a run some of whose images have no labels, which `line` says.

    Args:
        line: `None` when all is done.
        skip: The user said that such images may be skipped.
    """
    if line is not None:
        complain(f"error: {line}")
    return EXIT_DONE if line is None or skip else EXIT_INCOMPLETE


def _fault(error: Exception) -> int:
    """A fault of ours: one line, and the traceback to the log, or here while there is none."""
    logs = run_log.log_files()
    if not logs:
        traceback.print_exception(error)
    where = f" The traceback is in {logs[0].baseFilename}." if logs else ""
    tell_failure(error, f"error: {type(error).__name__}: {one_line(error).rstrip('.')}.{where}")
    return EXIT_INCOMPLETE
