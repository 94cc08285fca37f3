"""Files below a folder, through links, once each; what other systems leave there is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk_files(
    root: Path,
    *,
    enters: Callable[[Path, str], bool] | None = None,
    unlisted: list[OSError] | None = None,
) -> Iterator[Path]:
    """Yields the files below a folder.

    Linked folders are followed, each real folder once, so that a circle of links ends. Names that
    begin with a dot are skipped, with all that is below them.

    Args:
        root: The folder; need not exist.
        enters: (folder, name) -> whether a sub-folder is looked into; all are unless given.
        unlisted: Takes the folders that could not be listed.
    """
    seen: set[str] = set()
    onerror = None if unlisted is None else unlisted.append
    for folder, subfolders, files in os.walk(root, onerror=onerror, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        here = Path(folder)
        shown = sorted(name for name in subfolders if not name.startswith("."))
        subfolders[:] = [name for name in shown if enters is None or enters(here, name)]
        yield from (here / name for name in files if not name.startswith("."))
