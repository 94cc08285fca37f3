"""Choosing some of many things, the same ones each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
OBSERVED_IMAGES = 200  # at most so many are looked at for things and groups


def evenly_spaced(things: Sequence[T], most: int) -> list[T]:
    """At most `most` of some sorted things, evenly spaced over them, the first included."""
    if len(things) <= most:
        return list(things)
    return [things[i * len(things) // most] for i in range(most)]
