"""Labels that a training, a sweep or a study needs, made by label.py where they are not there."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from relief.processes.signals import run_script
from relief.schema.errors import UsageError

SCRIPT = Path(__file__).parents[2] / "label.py"


def make_labels(commands: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
    """Runs the labelling script, once for each command; it ends at once where labels are whole.

    Args:
        commands: Arguments of each run.
        say: Tells people what is going on, in a line.

    Raises:
        UsageError: A run did not come to its end.
    """
    for command in commands:
        line = shlex.join(("python", SCRIPT.name, *command))
        say(f"labels: {line}")
        whole = [sys.executable, str(SCRIPT), *command, "--if_missing", "true"]
        code = run_script(whole)
        if code != 0:
            msg = f"labels could not be made: {line} (exit code {code}). Run it alone."
            raise UsageError(msg)
