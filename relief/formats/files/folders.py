"""Files below a folder, through links, once each; what other systems leave there is passed over."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

_OF_SYSTEMS = ("@eaDir", "$RECYCLE.BIN")  # thumbnails of network disks, what was thrown away


def walk_files(
    root: Path,
    *,
    enters: Callable[[Path, str], bool] | None = None,
    unlisted: list[OSError] | None = None,
) -> Iterator[Path]:
    """Yields the files below a folder.

    Linked folders are followed, each real folder once: a circle of links ends, and files keep the
    path that they have without links where there is one. Names that begin with a dot, and folders
    of other systems, are skipped with all that is below them.

    Args:
        root: The folder; need not exist.
        enters: (folder, name) -> whether a sub-folder is looked into; all are unless given.
        unlisted: Takes the folders that could not be listed.
    """
    seen: set[str] = set()
    onerror = None if unlisted is None else unlisted.append
    links = [Path(root)]
    for top in links:  # grows: links wait until all that is not linked was walked
        for folder, subfolders, files in os.walk(top, onerror=onerror):
            real = os.path.realpath(folder)
            if real in seen:
                subfolders.clear()
                continue
            seen.add(real)
            here = Path(folder)
            shown = sorted(name for name in subfolders if not _is_of_systems(name))
            entered = [name for name in shown if enters is None or enters(here, name)]
            subfolders[:] = [name for name in entered if not (here / name).is_symlink()]
            links += [here / name for name in entered if (here / name).is_symlink()]
            yield from (here / name for name in files if not _is_of_systems(name))


def _is_of_systems(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


class AlikeFiles:
    """Finds files whose path another system wrote a little differently; folders are listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, Path]] = {}

    def find(self, path: Path) -> Path | None:
        """The path itself where it exists, or one alike, or `None`.

        Alike are names that differ in how accents are composed or in capitals of their ending.
        """
        if os.path.exists(path):  # noqa: PTH110  # `exists` raises on long names
            return path
        folder = self.find(path.parent) if path != path.parent else None
        if folder is None:
            return None
        if folder not in self._names:
            self._names[folder] = {_plain(name): folder / name for name in _listed(folder)}
        return self._names[folder].get(_plain(path.name))


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:  # no folder, or one that may not be listed: nothing alike is known in it
        return []


def _plain(name: str) -> str:
    stem, dot, suffix = unicodedata.normalize("NFC", name).rpartition(".")
    return f"{stem}{dot}{suffix.lower()}"
