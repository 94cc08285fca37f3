"""Pictures of clusters: the purest patches of each, found without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.reports.figures.overlay import Picture, as_picture
from relief.reports.figures.pictures import data_address, resized
from relief.reports.store_figures import StoreFigures
from relief.schema.categories import Category

_GAP_PX = 4


@dataclass(frozen=True)
class Patch:
    """A square of an image in which a cluster is at home.

    Attributes:
        key: The image.
        top: First row.
        left: First column.
        side_px: Of the square, in image pixels.
        share: Of the square's pixels that are of the cluster.
    """

    key: str
    top: int
    left: int
    side_px: int
    share: float


class PatchFinder:
    """Keeps the purest patches of each cluster, each from another image as far as that goes.

    Args:
        num_clusters: How many clusters there are.
        per_cluster: Patches kept of each.
        cells: Patches along the short side of an image.
    """

    def __init__(self, num_clusters: int, per_cluster: int = 6, cells: int = 7) -> None:
        self.num_clusters = num_clusters
        self.per_cluster = per_cluster
        self.cells = cells
        self._found: list[list[Patch]] = [[] for _ in range(num_clusters)]

    def add(self, key: str, semantic: Tensor) -> None:
        """Looks at one image: (H, W) int64 cluster ids, -1 = ignore."""
        side = max(1, min(semantic.shape) // self.cells)
        rows, columns = semantic.shape[0] // side, semantic.shape[1] // side
        blocks = semantic[: rows * side, : columns * side].reshape(rows, side, columns, side)
        flat = blocks.permute(0, 2, 1, 3).reshape(rows * columns, side * side)
        cell = torch.arange(rows * columns)[:, None] * (self.num_clusters + 1)
        counts = (
            (cell + flat + 1).flatten().bincount(minlength=rows * columns * (self.num_clusters + 1))
        )
        counts = counts.reshape(rows * columns, self.num_clusters + 1)[:, 1:]
        most, where = counts.max(dim=0)
        for cluster in most.nonzero().flatten().tolist():
            row, column = divmod(int(where[cluster]), columns)
            share = int(most[cluster]) / side**2
            self._keep(cluster, Patch(key, row * side, column * side, side, share))

    def patches(self, cluster: int) -> list[Patch]:
        """The purest patches of a cluster, purest first."""
        return list(self._found[cluster])

    def keys(self) -> list[str]:
        """Sorted keys of the images that any patch is from."""
        return sorted({patch.key for found in self._found for patch in found})

    def _keep(self, cluster: int, patch: Patch) -> None:
        found = self._found[cluster]
        found.append(patch)
        found.sort(key=lambda one: (-one.share, one.key))
        del found[self.per_cluster :]


def patch_strips(
    finder: PatchFinder,
    image: Callable[[str], Tensor],
    semantic: Callable[[str], Tensor],
    patch_px: int = 84,
) -> dict[int, Picture]:
    """The patches of each cluster side by side; what is not of the cluster is dimmed.

    Args:
        finder: After all images were added.
        image: (3, H, W) uint8 of a key.
        semantic: (H, W) int64 of a key.
        patch_px: Side of a patch in the strip.

    Returns:
        A strip for each cluster that has patches; each image is read once.
    """
    wanted: dict[str, list[tuple[int, int, Patch]]] = {}
    for cluster in range(finder.num_clusters):
        for position, patch in enumerate(finder.patches(cluster)):
            wanted.setdefault(patch.key, []).append((cluster, position, patch))
    strips: dict[int, dict[int, Picture]] = {}
    for key in sorted(wanted):
        picture, ids = as_picture(image(key)), semantic(key)
        for cluster, position, patch in wanted[key]:
            crop = _dimmed(picture, ids, cluster, patch)
            strips.setdefault(cluster, {})[position] = resized(crop, (patch_px, patch_px))
    return {
        cluster: _beside([crops[position] for position in sorted(crops)], finder.per_cluster)
        for cluster, crops in strips.items()
    }


def _dimmed(picture: Picture, ids: Tensor, cluster: int, patch: Patch) -> Picture:
    # A margin of half a patch on each side: a texture says more with what is around it.
    height, width = ids.shape
    margin = patch.side_px // 2
    side = min(patch.side_px + 2 * margin, height, width)
    top = min(max(patch.top - margin, 0), height - side)
    left = min(max(patch.left - margin, 0), width - side)
    window = (slice(top, top + side), slice(left, left + side))
    inside = (ids[window] == cluster).numpy()[..., None]
    return np.where(inside, picture[window], picture[window] // 3 + 12).astype(np.uint8)


def _beside(crops: Sequence[Picture], places: int) -> Picture:
    side = crops[0].shape[0]
    gap = np.full((side, _GAP_PX, 3), 128, dtype=np.uint8)
    pieces = [piece for crop in crops[:places] for piece in (gap, crop)][1:]
    return np.concatenate(pieces, axis=1)


def gallery_entries(
    finder: PatchFinder,
    image: Callable[[str], Tensor],
    semantic: Callable[[str], Tensor],
    categories: Sequence[Category],
    groups: Sequence[int] | None,
    figures: StoreFigures,
) -> list[dict[str, Any]]:
    """Lists the clusters that were seen for the report: things by group, then stuff by size.

    Args:
        finder: After all images were added.
        image: (3, H, W) uint8 of a key.
        semantic: (H, W) int64 of a key.
        categories: Of all ids, in order of id.
        groups: Group of each id, -1 for stuff.
        figures: Of the same images.
    """
    shares = figures.shares.tolist()
    entries = []
    for cluster, strip in patch_strips(finder, image, semantic).items():
        category, is_thing = categories[cluster], bool(categories[cluster]["isthing"])
        group = groups[cluster] if groups is not None and is_thing else None
        entries.append(
            {
                "id": cluster,
                "order": (not is_thing, group or 0, -shares[cluster], cluster),
                "name": category["name"],
                "color": tuple(category["color"]),
                "is_thing": is_thing,
                "kind": "stuff" if not is_thing else _thing_words(group),
                "about": _size_words(shares[cluster], int(figures.images_with[cluster])),
                "src": data_address(strip),
                "width": strip.shape[1],
                "height": strip.shape[0],
            }
        )
    return sorted(entries, key=lambda entry: entry["order"])


def _thing_words(group: int | None) -> str:
    return "thing" if group is None else f"thing · group {group}"


def _size_words(share: float, images: int) -> str:
    percent = f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.2f}"
    return f"{percent} % · {images} image{'s' if images != 1 else ''}"
