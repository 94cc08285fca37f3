"""The scripts, run as processes of their own: labels made before they are needed, rounds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from relief.processes.chains import Command, run_chains

_INSTALLED = Path(__file__).parents[1] / "house"  # setup.py
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2]
LABEL, TRAIN, EVALUATE = "label.py", "train.py", "evaluate.py"


def run_scripts(
    script: str, commands: Sequence[Sequence[str]], say: Callable[[str], None], what: str
) -> None:
    """Runs a script once for each command, one after the other.

    Args:
        script: Its name.
        commands: Arguments of each run.
        say: Tells people what is going on, in a line.
        what: Names what the script makes.

    Raises:
        UsageError: A run did not come to its end.
    """
    run_chains([[script_command(script, command, what) for command in commands]], 1, say)


def script_command(script: str, arguments: Sequence[str], what: str) -> Command:
    """Makes a command of a script, of its arguments, and of what they make."""
    shown = ["python", script, *arguments]
    return Command(what, [sys.executable, str(FOLDER / script), *arguments], shlex.join(shown))


def make_labels(commands: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
    """Labels once for each command; it ends at once where the labels are whole.

    Raises:
        UsageError: A run did not come to its end.
    """
    run_scripts(LABEL, [[*c, "--if_missing", "true"] for c in commands], say, "labels")
