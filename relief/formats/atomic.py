"""Files that appear whole or not at all, however a run ends."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path

from relief.schema.errors import ReliefError, UsageError

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.\d+-\d+\.tmp")


class WriteError(ReliefError):
    """An output file cannot be written: the disk is full, or went away during the run."""


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file so that its name never holds anything but the whole content.

    A temporary file in the same folder is filled, flushed to the disk and renamed. Missing
    folders are made.

    Raises:
        WriteError: The file cannot be written; nothing is left behind.
    """
    temporary = _temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(temporary, data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}."
        raise WriteError(msg) from error


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, for UTF-8 text; characters that UTF-8 lacks are escaped."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def check_writable(folder: Path) -> None:
    """Makes a folder and tries a file in it, before any work.

    Raises:
        UsageError: It cannot be made or written.
    """
    probe = folder / "probe"
    temporary = _temporary_beside(probe)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(b"")
        temporary.unlink()
    except OSError as error:
        msg = f"cannot write {folder}: {error.strerror or error}. Use another folder (--out DIR)."
        raise UsageError(msg) from error


def is_temporary(path: Path) -> bool:
    """Whether a name is one that `write_bytes` uses before the rename."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_temporaries(folder: Path) -> int:
    """Removes what killed runs left under a folder; only while nobody else writes there.

    Returns:
        How many files were removed.
    """
    stale = [path for path in folder.rglob(".*.tmp") if is_temporary(path)]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _temporary_beside(path: Path) -> Path:
    # A digest instead of the name: a name of 255 bytes leaves no room for more.
    digest = hashlib.blake2s(os.fsencode(path.name), digest_size=8).hexdigest()
    return path.with_name(f".{digest}.{os.getpid()}-{threading.get_ident()}.tmp")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
