"""Labels that a training recipe needs, made by label.py when they are not there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from relief.processes.signals import run_script
from relief.schema.errors import UsageError

logger = logging.getLogger("relief.training")
LABEL_SCRIPT = Path(__file__).parents[1] / "label.py"


def make_labels(runs: Mapping[str, Sequence[str]]) -> None:
    """Runs label.py for each store (the key) with its arguments.

    It ends at once where the labels are there, and refuses those of another configuration.

    Raises:
        UsageError: A run did not end well; its own lines have said why.
    """
    for store, arguments in runs.items():
        logger.info("labels to learn from: %s", store)
        out = ("--out", store, "--if_missing", "true")
        code = run_script([sys.executable, str(LABEL_SCRIPT), *arguments, *out])
        if code != 0:
            msg = (
                f"labels could not be made: {store} (label.py ended with {code}). "
                "See its lines above."
            )
            raise UsageError(msg)
