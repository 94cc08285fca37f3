"""The part of a run's configuration that determines its labels.

A class says in `free_arguments` which of its arguments decide nothing of what comes out: where
files lie (what lies there is compared by its content), how fast they are read, what is only
measured. Nobody else lists them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

ROLES = ("model", "fitter", "thingness", "data")


def determinants(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of a configuration that decide the bytes of the labels.

    Args:
        config: The resolved configuration, nested plain values.

    Returns:
        `class_path` and `init_args` by role, without arguments that are free or `None`; files named
        without their folder (their hashes stand elsewhere in the manifest).

    Raises:
        ImportError: A class path leads nowhere.
    """
    parts = {role: config[role] for role in ROLES if config.get(role) is not None}
    return {role: _recorded(without_free_arguments(part)) for role, part in parts.items()}


def without_free_arguments(value: Any) -> Any:
    """Returns nested plain values without what their classes declare to decide nothing.

    Args:
        value: Mappings, lists and plain values; a part is a mapping with `class_path`.

    Raises:
        ImportError: A class path leads nowhere.
    """
    if isinstance(value, list | tuple):
        return [without_free_arguments(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    inner = {str(name): without_free_arguments(inner) for name, inner in value.items()}
    if isinstance(value.get("class_path"), str) and isinstance(inner.get("init_args"), dict):
        free = _free_arguments(value["class_path"])
        inner["init_args"] = {k: v for k, v in inner["init_args"].items() if k not in free}
    return inner


def _free_arguments(class_path: str) -> frozenset[str]:
    part = pkgutil.resolve_name(class_path)
    free: frozenset[str] = getattr(part, "free_arguments", frozenset())
    return free


def _recorded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _recorded(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_recorded(inner) for inner in value]
    if isinstance(value, str | int | float | bool):
        return PurePosixPath(value).name if isinstance(value, str) and "/" in value else value
    return str(value)
