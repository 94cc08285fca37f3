"""Clusters named or merged by hand: `names.yaml`, a supervision that says so.

car: {clusters: [3, 7, 12-15], thing: true}
road: [0, 9]
sky: 4
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relief.schema.errors import UsageError
from relief.schema.plain_text import yaml_of

_RANGE = re.compile(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?")  # ids are of at most 16 bits


@dataclass(frozen=True)
class NamedClusters:
    """Clusters that carry one name, and are one category where they are exported.

    Attributes:
        name: Of the category.
        clusters: Cluster ids, ascending.
        thing: Whether it is a thing; `None` leaves what the clusters are.
    """

    name: str
    clusters: tuple[int, ...]
    thing: bool | None = None


@dataclass(frozen=True)
class ClusterNames:
    """All names of a file."""

    entries: tuple[NamedClusters, ...]

    @classmethod
    def read(cls, path: Path) -> ClusterNames:
        """Reads `names.yaml`.

        Raises:
            UsageError: It cannot be read, is of another form, or names a cluster twice.
        """
        try:
            content = yaml_of(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"cannot read cluster names: {path}. Write lines like `car: [3, 7, 12-15]`."
            raise UsageError(msg) from error
        return cls.from_content(content, str(path))

    @classmethod
    def from_content(cls, content: Any, where: str = "names.yaml") -> ClusterNames:
        """Makes names of what the YAML holds; raises `UsageError` as `read`."""
        if not isinstance(content, Mapping):
            raise _refused(where, "expected `name: clusters` lines")
        entries = tuple(_entry(str(name), value, where) for name, value in content.items())
        named: set[int] = set()
        for entry in entries:
            twice = named & set(entry.clusters)
            if twice:
                raise _refused(where, f"cluster {min(twice)} has two names")
            named |= set(entry.clusters)
        return cls(entries)

    @property
    def by_cluster(self) -> dict[int, str]:
        """Name of each cluster that has one."""
        return {cluster: entry.name for entry in self.entries for cluster in entry.clusters}


def _entry(name: str, value: Any, where: str) -> NamedClusters:
    thing = None
    if isinstance(value, Mapping):
        if not {"clusters"} <= value.keys() <= {"clusters", "thing"}:
            raise _refused(where, f"{name!r} has other keys than `clusters` and `thing`")
        value, thing = value["clusters"], value.get("thing")
        if thing is not None and not isinstance(thing, bool):
            raise _refused(where, f"`thing` of {name!r} is neither true nor false")
    parts = value if isinstance(value, list) else [value]
    clusters = sorted({cluster for part in parts for cluster in _clusters(part, name, where)})
    if not clusters:
        raise _refused(where, f"{name!r} has no clusters")
    return NamedClusters(name, tuple(clusters), thing)


def _clusters(part: Any, name: str, where: str) -> range:
    ends = _RANGE.fullmatch(str(part)) if isinstance(part, int | str) else None
    if ends is not None:
        return range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    raise _refused(where, f"{name!r} has {part!r}, expected a cluster or a range like 12-15")


def _refused(where: str, reason: str) -> UsageError:
    return UsageError(f"cannot use cluster names: {where} ({reason}). Correct the file.")
