"""Names and colours of the ids of a label store: COCO's `categories`."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from typing import TypedDict

from relief.schema.label_spaces import LabelSpace, label_space
from relief.schema.manifest import Manifest

_GOLDEN_TURN = 0.618034  # hues that never come close to the ones before


class Category(TypedDict):
    """One entry of `categories`; the id is the one of `semantic/`."""

    id: int
    name: str
    supercategory: str
    isthing: int
    color: list[int]


def cluster_color(cluster_id: int) -> tuple[int, int, int]:
    """An RGB colour of its own for each cluster, 0..255."""
    hue = (cluster_id * _GOLDEN_TURN) % 1.0
    saturation = (0.55, 0.75, 0.4)[cluster_id % 3]
    value = (0.85, 0.65, 0.95, 0.5)[cluster_id % 4]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def cluster_categories(
    num_clusters: int, thing_ids: Iterable[int], names: Mapping[int, str] | None = None
) -> list[Category]:
    """Categories of a store of clusters: `cluster 12`, and a name after it where there is one."""
    things, names = set(thing_ids), names or {}
    return [
        _category(
            cluster,
            f"cluster {cluster} {names[cluster]}" if cluster in names else f"cluster {cluster}",
            is_thing=cluster in things,
            color=cluster_color(cluster),
        )
        for cluster in range(num_clusters)
    ]


def class_categories(space: LabelSpace) -> list[Category]:
    """Categories of a store of class ids."""
    return [
        _category(class_id, label.name, is_thing=label.is_thing, color=label.color)
        for class_id, label in enumerate(space.labels)
    ]


def categories_of(manifest: Manifest, names: Mapping[int, str] | None = None) -> list[Category]:
    """Categories of the store of a manifest: its classes, or clusters with the names they have."""
    if manifest.classes is not None:
        return class_categories(label_space(manifest.classes))
    return cluster_categories(manifest.num_categories, manifest.thing_ids or (), names)


def _category(
    category_id: int, name: str, *, is_thing: bool, color: tuple[int, int, int]
) -> Category:
    return Category(
        id=category_id,
        name=name,
        supercategory="thing" if is_thing else "stuff",
        isthing=int(is_thing),
        color=list(color),
    )
