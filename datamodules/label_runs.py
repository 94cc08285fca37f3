"""Labels that a training recipe needs, made by label.py when they are not there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from relief.processes.signals import run_script
from relief.schema.errors import UsageError

logger = logging.getLogger("relief.training")
LABEL_SCRIPT = Path(__file__).parents[1] / "label.py"


def make_labels(store: Path, arguments: Sequence[str]) -> None:
    """Runs label.py with these arguments and `--out STORE`.

    It ends at once where the labels are there, and refuses those of another configuration.

    Raises:
        UsageError: It did not end well; its own lines have said why.
    """
    logger.info("labels to learn from: %s", store)
    out = ("--out", str(store), "--if_missing", "true")
    command = [sys.executable, str(LABEL_SCRIPT), *arguments, *out]
    code = run_script(command)
    if code != 0:
        msg = (
            f"labels could not be made: {store} (label.py ended with {code}). See its lines above."
        )
        raise UsageError(msg)
