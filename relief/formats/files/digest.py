"""Which content a file has, told cheaply: for inputs that must not change under a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

_END_BYTES = 4096


def file_mark(path: Path) -> str:
    """Returns size and a digest of the first and last kilobytes of a file.

    Another photograph under the same name has another mark; two reads, whatever the size.

    Returns:
        Such as `181723-5f2e9a0c41d7b386`; empty for a file that cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_END_BYTES)
            size = file.seek(0, 2)
            file.seek(max(0, size - _END_BYTES))
            tail = file.read()
    except OSError:
        return ""
    return f"{size}-{hashlib.sha256(head + tail).hexdigest()[:16]}"


def content_digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """Returns a digest of the whole content of some files by key; unreadable ones are left out.

    Returns:
        The first 16 hexadecimal digits of SHA-256 by key.
    """
    digests = {}
    for key, path in sorted(paths.items()):
        try:
            digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        except OSError:  # told when the image is labelled
            continue
    return digests
