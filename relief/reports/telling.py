"""Lines for people from the first process, and what a script's end says to the shell."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any

from jsonargparse import ArgumentError
from rich.console import Console

from relief.reports import run_log
from relief.reports.tables.evaluation import first_few
from relief.schema.errors import TOLD, PeersLost, ReliefError, StoppedBySignal, UsageError

EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE = 0, 1, 2


def is_first_process() -> bool:
    """Whether this process speaks for the run, before a trainer knows its ranks."""
    names = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)


def say(text: str) -> None:
    """One line for people, on standard output and in the log, from the first process only."""
    if is_first_process():
        logging.getLogger("relief").info(text)


def show(*tables: Any) -> None:
    """Prints tables of rich on the terminal."""
    Console().print(*tables)


def say_all(lines: Iterable[str]) -> None:
    """Several lines for people."""
    for line in lines:
        say(line)


def ended(failures: Sequence[str]) -> int:
    """Says what could not be read; returns the exit code."""
    for line in first_few(failures):
        complain(line)
    return EXIT_INCOMPLETE if failures else EXIT_DONE


def complain(text: str) -> None:
    """One line for people on standard error and in the log, from the first process only."""
    if is_first_process():
        run_log.complain(text)


def tell_failure(error: BaseException, text: str) -> None:
    """Says why this process failed: the first one, or another whose reason nobody else tells."""
    if is_first_process():
        run_log.complain(text, None if isinstance(error, ReliefError) else error)
    elif not is_told_elsewhere(error):
        names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
        rank = next(os.environ[name] for name in names if name in os.environ)
        run_log.complain(f"process {rank}: {text}")


def is_told_elsewhere(error: BaseException) -> bool:
    """Whether the first process says why another one failed.

    It heard it, or did the same itself: stopped, lost a third one, or was used wrongly by a
    launcher that started all of them with one command.
    """
    if TOLD in getattr(error, "__notes__", ()) or isinstance(error, StoppedBySignal | PeersLost):
        return True
    machine = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
    by_launcher = "RANK" in os.environ or "SLURM_PROCID" in os.environ
    return isinstance(error, UsageError | ArgumentError) and by_launcher and machine != "0"


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
