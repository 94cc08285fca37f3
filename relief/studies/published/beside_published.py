"""Rows of our figures, each with the published ones under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from relief.schema.errors import UsageError

PUBLISHED = "published"


def published_figures(published: Mapping[str, float]) -> dict[str, float]:
    """The published figures of a row under names of their own, beside ours in `table.csv`."""
    return {f"{PUBLISHED} {name}": value for name, value in published.items()}


def beside_published(runs: Iterable[Mapping[str, Any]], figures: Sequence[str]) -> list[list[Any]]:
    """The rows of a table: ours, and where there are any, a line of the published ones below.

    Below and not beside them, so that a dozen columns fit a terminal of 80 characters.

    Args:
        runs: `name`, our figures by name, and those of `published_figures`.
        figures: Names of the columns after the first.
    """
    rows: list[list[Any]] = []
    for run in runs:
        rows.append([run["name"], *(run[name] for name in figures)])
        published = [run.get(f"{PUBLISHED} {name}") for name in figures]
        if any(value is not None for value in published):
            rows.append([f"  {PUBLISHED}", *published])
    return rows


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `UsageError` for the first name that is not known; `what` says what it should be."""
    there = list(known)
    for name in given:
        if name not in there:
            msg = f"unknown {what}: {name}. Use one of {', '.join(there)}."
            raise UsageError(msg)


def refuse_double(names: Iterable[str]) -> None:
    """Raises `UsageError` where two rows have one name."""
    for name, count in Counter(names).items():
        if count > 1:
            msg = f"{count} rows have one name: {name}. Give each its own."
            raise UsageError(msg)


def titled(figures: str, about: str) -> str:
    """Returns the title of a table of ours and the published figures."""
    return f"{figures}{f' ({about})' if about else ''}, the published figures below ours"
