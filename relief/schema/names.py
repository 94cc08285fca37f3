"""Clusters named or merged by hand: `names.yaml`, a supervision that says so.

car: {clusters: [3, 7, 12-15], thing: true}
road: [0, 9]
sky: 4
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from relief.schema.categories import Category, cluster_color
from relief.schema.errors import UsageError


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
class MergedCategories:
    """What is left after merging: named categories and the clusters without a name.

    Attributes:
        categories: With ids 0..M-1, in the order of their first clusters.
        category_of_cluster: (k,) int64.
    """

    categories: list[Category]
    category_of_cluster: Tensor

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """Category ids that are things."""
        return tuple(entry["id"] for entry in self.categories if entry["isthing"])


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
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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

    def merge(self, num_clusters: int, thing_ids: Iterable[int]) -> MergedCategories:
        """Applies the names to the clusters of a store.

        Args:
            num_clusters: How many clusters there are.
            thing_ids: Those that are things without the names.

        Raises:
            UsageError: A cluster does not exist, or a name joins things and stuff and does not
                say which it is.
        """
        entry_of = {cluster: entry for entry in self.entries for cluster in entry.clusters}
        unknown = [cluster for cluster in entry_of if cluster >= num_clusters]
        if unknown:
            raise _refused("names", f"there is no cluster {unknown[0]}, only 0-{num_clusters - 1}")
        things, categories = set(thing_ids), list[Category]()
        category_of_cluster = torch.full((num_clusters,), -1, dtype=torch.int64)
        for cluster in range(num_clusters):
            if category_of_cluster[cluster] >= 0:
                continue
            entry = entry_of.get(cluster, NamedClusters(f"cluster {cluster}", (cluster,)))
            category_of_cluster[list(entry.clusters)] = len(categories)
            is_thing = _is_thing(entry, things)
            categories.append(
                Category(
                    id=len(categories),
                    name=entry.name,
                    supercategory="thing" if is_thing else "stuff",
                    isthing=int(is_thing),
                    color=list(cluster_color(cluster)),
                )
            )
        return MergedCategories(categories, category_of_cluster)


def _is_thing(entry: NamedClusters, things: set[int]) -> bool:
    if entry.thing is not None:
        return entry.thing
    kinds = {cluster in things for cluster in entry.clusters}
    if len(kinds) > 1:
        raise _refused(
            "names", f"{entry.name!r} joins things and stuff; say `thing: true` or false"
        )
    return kinds.pop()


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
    first, dash, last = str(part).partition("-")
    if isinstance(part, int | str) and first.strip().isdecimal():
        if not dash:
            return range(int(first), int(first) + 1)
        if last.strip().isdecimal():
            return range(int(first), int(last) + 1)
    raise _refused(where, f"{name!r} has {part!r}, expected a cluster or a range like 12-15")


def _refused(where: str, reason: str) -> UsageError:
    return UsageError(f"cannot use cluster names: {where} ({reason}). Correct the file.")
