"""Files that appear whole or not at all, however a run ends."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relief.schema.errors import ReliefError, UsageError

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.\d+-\d+\.tmp")


class WriteError(ReliefError):
    """An output file cannot be written: the disk is full, or went away during the run."""


@contextmanager
def whole_file(path: Path | str) -> Iterator[BinaryIO]:
    """Yields an open file that takes its name at the end, when its content is whole.

    A temporary file in the same folder is filled, flushed to the disk and renamed. Missing
    folders are made.

    Raises:
        WriteError: The file cannot be written. As after any other error, what had the name
            before keeps it and nothing else is left behind.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
            take_name(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        msg = f"cannot write {path}: {refusal.strerror or refusal}."
        raise WriteError(msg) from error


def _refusal(error: BaseException | None) -> OSError | None:
    """Returns what the file system said; torch raises errors of its own after it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def take_name(part: Path, path: Path) -> None:
    """Gives a finished file its name, once its content has reached the disk.

    Raises:
        OSError: The file system refuses.
    """
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Writes a file whole or not at all; raises as `whole_file`."""
    with whole_file(path) as file:
        file.write(data)


def write_array(path: Path | str, array: NDArray[Any]) -> None:
    """As `write_bytes`, for an array as `.npy`."""
    with whole_file(path) as file:
        np.save(file, array, allow_pickle=False)


def write_text(path: Path | str, text: str) -> None:
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


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Finds before any work whether a folder can be written; removes it if it stays empty.

    Raises:
        UsageError: It cannot be made or written.
    """
    is_new = not folder.exists()
    check_writable(folder)
    try:
        yield
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def is_temporary(path: Path) -> bool:
    """Whether a name is one that `whole_file` uses before the rename."""
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
