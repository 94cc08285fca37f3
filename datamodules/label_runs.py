"""Labels that a training recipe needs, made by label.py when they are not there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from relief.formats.label_store import LabelStore
from relief.processes.signals import run_script
from relief.schema.errors import UsageError

logger = logging.getLogger("relief.training")
LABEL_SCRIPT = Path(__file__).parents[1] / "label.py"


def is_complete(store: Path) -> bool:
    """Whether a label store is there and has labels of all its images."""
    try:
        images = LabelStore(store).manifest.images
    except UsageError:
        return False
    return bool(images) and all(status == "labelled" for status in images.values())


def make_labels(store: Path, arguments: Sequence[str]) -> None:
    """Runs label.py with these arguments and `--out STORE`, unless the store is complete.

    Raises:
        UsageError: It did not end well; its own lines have said why.
    """
    if is_complete(store):
        return
    logger.info("labels are not there yet: %s", store)
    command = [sys.executable, str(LABEL_SCRIPT), *arguments, "--out", str(store)]
    code = run_script(command)
    if code != 0:
        msg = (
            f"labels could not be made: {store} (label.py ended with {code}). See its lines above."
        )
        raise UsageError(msg)
