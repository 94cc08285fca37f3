"""Where the weights of a backbone come from: what the manifest and the terminal say of them."""

from __future__ import annotations

from typing import TypedDict


class Provenance(TypedDict):
    """Facts about a part's weights; empty where it has none."""

    weights: dict[str, str]  # SHA-256 by role
    supervision: tuple[str, ...]  # which labels the weights depended on, a sentence each
    notes: tuple[str, ...]  # what a reader of the labels must know, a sentence each


def no_weights() -> Provenance:
    """Returns the provenance of a part that has no weights."""
    return {"weights": {}, "supervision": (), "notes": ()}
