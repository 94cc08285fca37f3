"""Chains of commands: one after the other within a chain, several chains beside each other."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relief.processes.signals import SIGNALS
from relief.schema.errors import StoppedBySignal, UsageError

CHILD_ENDS_S = 60.0  # until a process that was asked to stop is killed
_POLL_S = 0.05
_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Command:
    """A command of a chain.

    Attributes:
        what: Names what it makes.
        words: The program and its arguments.
        shown: The line that a person would type.
    """

    what: str
    words: Sequence[str]
    shown: str


def run_chains(
    chains: Sequence[Sequence[Command]], at_once: int, say: Callable[[str], None]
) -> None:
    """Runs chains of commands, each command as a process of its own.

    A signal to this process reaches those that run, and they are waited for.

    Args:
        chains: What is run; each begins in its turn.
        at_once: How many chains run beside each other, at least 1. Several share the cores, unless
            `OMP_NUM_THREADS` says how many threads each has.
        say: Tells people what begins, in a line.

    Raises:
        UsageError: A command failed; the others have been stopped.
        StoppedBySignal: A signal came, and the commands have ended.
    """
    waiting = [iter(chain) for chain in chains]
    at_once = max(1, min(at_once, len(waiting)))
    shared = max(1, len(os.sched_getaffinity(0)) // at_once)
    environment = {**({_THREADS: str(shared)} if at_once > 1 else {}), **os.environ}
    running: list[tuple[subprocess.Popen[bytes], Command, Iterator[Command]]] = []

    def go_on(chain: Iterator[Command]) -> None:
        command = next(chain, None)
        if command is not None:
            say(f"{command.what}: {command.shown}")
            process = subprocess.Popen(command.words, env=environment)
            running.append((process, command, chain))

    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                go_on(waiting.pop(0))
            for ended in [one for one in running if one[0].poll() is not None]:
                running.remove(ended)
                process, command, chain = ended
                _refuse_failure(command, process.returncode)
                go_on(chain)
            time.sleep(_POLL_S)
    except BaseException as error:
        number = error.number if isinstance(error, StoppedBySignal) else SIGNALS[0]
        _stop([process for process, _, _ in running], number)
        raise


def _refuse_failure(command: Command, code: int) -> None:
    if code != 0:
        msg = f"{command.what} could not be made: {command.shown} (exit code {code}). Run it alone."
        raise UsageError(msg)


def _stop(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    """Asks processes to stop, waits for them, and kills those that go on."""
    for process in processes:
        process.send_signal(number)
    until = time.monotonic() + CHILD_ENDS_S
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
