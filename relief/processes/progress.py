"""Progress bars of long work, on the terminal's error stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_T = TypeVar("_T")
_FEW = 50  # items that are done too fast for a bar


def with_progress(items: Iterable[_T], what: str, count: int) -> Iterable[_T]:
    """Iterates over `count` items with a bar that goes away at the end, where there are many."""
    return track(
        items,
        total=count,
        description=what,
        console=Console(stderr=True),
        transient=True,
        disable=count < _FEW,
    )
