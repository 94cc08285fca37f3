"""The origin of a folder of depth maps: `depth.json`, written and read beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relief.formats.files.atomic import write_text
from relief.schema.errors import UsageError
from relief.schema.plain_text import json_of, sentences_of

DEPTH_RECORD = "depth.json"


def depth_record_text(record: Mapping[str, Any]) -> str:
    """The bytes of a record: sorted JSON; equal records give equal text."""
    return json.dumps(record, sort_keys=True, indent=1) + "\n"


def write_depth_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes FOLDER/depth.json.

    Args:
        folder: Where the maps of one split lie, or those of a whole folder of images.
        record: `part`, the numbers it was made with and, where there are weights, `weights`
            (SHA-256 by name), `supervision` and `notes` (lists of sentences).

    Raises:
        WriteError: It cannot be written.
    """
    write_text(folder / DEPTH_RECORD, depth_record_text(record))


def read_depth_record(folder: Path) -> dict[str, Any] | None:
    """Reads FOLDER/depth.json; `None` where there is none, or a file of somebody else's.

    Raises:
        UsageError: It is damaged.
    """
    path = folder / DEPTH_RECORD
    if not path.is_file():
        return None
    try:
        record = json_of(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(record, dict) or "part" not in record:
        return None
    try:
        for name in ("supervision", "notes"):
            sentences_of(record, name)
        sentences_of({"weights": list(record.get("weights", {}).values())}, "weights")
    except (ValueError, AttributeError) as error:
        raise _damaged(path) from error
    return record


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"cannot read what made the depth: {path}. Make the maps again with --overwrite true."
    )
