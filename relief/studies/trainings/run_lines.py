"""Runs of the scripts, written as a person types them, for several seeds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from relief.processes.scripts import LABEL, TRAIN
from relief.schema.errors import UsageError

_SCRIPTS = (TRAIN, LABEL)
SEED = "seed"


@dataclass(frozen=True)
class ScriptRun:
    """A run of a script.

    Attributes:
        name: What it makes.
        script: `train.py` or `label.py`.
        arguments: All of them.
        out: The folder that it fills.
    """

    name: str
    script: str
    arguments: list[str]
    out: Path


def script_runs(lines: Mapping[str, str], seed: int, folder: Path) -> list[ScriptRun]:
    """Completes the runs of one seed, in their order.

    Args:
        lines: By name, a script and its arguments as on a command line. `$seed` is the seed,
            `$NAME` the folder of a run above.
        seed: Which.
        folder: Every run fills a folder of its name below it.

    Raises:
        UsageError: A line names another script, or a run that is not above it.
    """
    runs, known = list[ScriptRun](), {SEED: str(seed)}
    for name, line in lines.items():
        script, *arguments = _words(name, line, known)
        if script not in _SCRIPTS:
            msg = f"run {name} begins with {script}: expected {' or '.join(_SCRIPTS)}. Correct it."
            raise UsageError(msg)
        out = folder / name
        arguments += ["--out", str(out), *(["--if_missing", "true"] if script == LABEL else [])]
        runs.append(ScriptRun(name, script, arguments, out))
        known[name] = str(out)
    return runs


def _words(name: str, line: str, known: Mapping[str, str]) -> list[str]:
    """Splits a line as a shell does, its names replaced; raises `UsageError`."""
    try:
        words = shlex.split(Template(line).substitute(known))
    except KeyError as error:
        msg = f"run {name}: no run above it is called {error}. Correct its line."
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"run {name} cannot be read ({error}). Correct its line."
        raise UsageError(msg) from error
    return words or ["nothing"]


def refuse_unmade(names: Sequence[str], lines: Mapping[str, str]) -> None:
    """Raises `UsageError` for the first name that no run of label.py has."""
    for name in names:
        if not lines.get(name, "").startswith(LABEL):
            msg = f"no run of {LABEL} makes {name}. Name one of `runs`."
            raise UsageError(msg)
