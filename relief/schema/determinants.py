"""The part of a run's configuration that determines its labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

# Where images lie and how fast they are read: other values, same labels. Parts of other roles may
# have arguments of the same name that decide something, such as k-means its batch_size.
VOLATILE = frozenset({"root", "batch_size", "num_workers", "on_error", "max_bytes", "max_aspect"})
ROLES = ("model", "fitter", "thingness", "data")
_MEASURING_ONLY = frozenset({"label_space"})


def determinants(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a configuration that decide the bytes of the labels.

    Args:
        config: The resolved configuration, nested plain values.

    Returns:
        `class_path` and `init_args` by role; folders, batch sizes and workers of the data left out,
        files named without their folder (their hashes stand elsewhere in the manifest).
    """
    parts = {
        role: _pruned(config[role], VOLATILE if role == "data" else frozenset())
        for role in ROLES
        if config.get(role) is not None
    }
    data_arguments = parts.get("data", {}).get("init_args", {})
    for name in _MEASURING_ONLY:
        data_arguments.pop(name, None)
    return parts


def _pruned(value: Any, volatile: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): _pruned(inner, volatile)
            for name, inner in value.items()
            if name not in volatile and inner is not None
        }
    if isinstance(value, list | tuple):
        return [_pruned(inner, volatile) for inner in value]
    if isinstance(value, str | int | float | bool):
        return PurePosixPath(value).name if isinstance(value, str) and "/" in value else value
    return str(value)
