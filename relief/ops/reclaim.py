"""Components of thing regions, and the pixels they take back after depth edges parted them.

Components of one category are ordered by falling area (then scan order). Each takes its own pixels
and, of the pixels of its category at an L1 distance of at most `dilation_px` (that many dilations
with a cross), those that no earlier component took. Although this reads as a loop over components,
a pixel can only belong to the first component in the order within that distance, and to its own:
both follow from one minimum over a neighbourhood. An area filter keeps a prefix of the order and
changes no mask, so that one `Partition` answers every filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from relief.ops.components import component_areas_px, label_components


@dataclass(frozen=True)
class Partition:
    """All components of one image, numbered by falling area of their final masks, from 1.

    Equal areas: the lower category first, then the larger component, then scan order. Entry 0 of
    the tables is "no component".

    Attributes:
        owner: (H, W) int32 number of the component a pixel goes to while all are kept, 0 = none.
        contested: (M,) int64 flat positions of pixels in two final masks whose owner is not the
            one that reclaimed them.
        fallback: (M,) int32 who gets the contested pixel when its owner is filtered out.
        category: (N + 1,) int64 category of each component; entry 0 is 0.
        core_area_px: (N + 1,) int64 pixels before reclaiming; the area filter looks at these.
        area_px: (N + 1,) int64 pixels of the final mask, before overlaps are settled.
    """

    owner: NDArray[np.int32]
    contested: NDArray[np.int64]
    fallback: NDArray[np.int32]
    category: NDArray[np.int64]
    core_area_px: NDArray[np.int64]
    area_px: NDArray[np.int64]

    def instance_ids(self, min_area_px: int) -> NDArray[np.int64]:
        """Instance id by component number under an area filter: (N + 1,), 0 = filtered out."""
        kept = self.core_area_px >= max(min_area_px, 1)
        return np.where(kept, np.cumsum(kept), 0)

    def instances(self, min_area_px: int) -> NDArray[np.int64]:
        """Instance map under an area filter: (H, W) int64, 0 = none, 1..N."""
        ids = self.instance_ids(min_area_px)
        instance = ids.take(self.owner)
        flat = instance.reshape(-1)
        at_contested = flat[self.contested]
        flat[self.contested] = np.where(at_contested > 0, at_contested, ids[self.fallback])
        return instance

    def categories(self, min_area_px: int) -> NDArray[np.int64]:
        """Category by instance id under an area filter; entry 0 is 0."""
        kept = self.instance_ids(min_area_px) > 0
        return np.concatenate((np.zeros(1, np.int64), self.category[kept]))


def partition(
    category: NDArray[Any], edges: NDArray[np.bool_] | None = None, dilation_px: int = 0
) -> Partition:
    """Parts the regions of every category into components.

    Args:
        category: (H, W) integers: 0 = no thing, else a category; never joined across categories.
        edges: (H, W) bool; components do not cross these pixels. `None` for no edges.
        dilation_px: L1 distance at which components take pixels of their category back.

    Returns:
        The components before any area filter.
    """
    cores = category if edges is None else category * ~edges
    components, count = label_components(cores)
    position = np.flatnonzero(components.astype(np.bool_))  # things are few: look at them only
    component = components.reshape(-1)[position]
    areas = component_areas_px(component, count)
    of_component = np.zeros(count + 1, dtype=np.int64)
    of_component[component] = cores.reshape(-1)[position]
    # Position in the one order: by category, then falling area; `lexsort` keeps scan order.
    order = np.lexsort((-areas[1:], of_component[1:])) + 1
    if dilation_px <= 0:
        return _numbered(components, order, of_component, areas, _Reclaimed.nothing())
    reclaimed = _reclaim(category, components, order, of_component, dilation_px)
    return _numbered(components, order, of_component, areas, reclaimed)


@dataclass(frozen=True)
class _Reclaimed:
    """Pixels at `position` (flat) are taken by the component at `rank` of the order."""

    position: NDArray[np.int64]
    rank: NDArray[np.int64]

    @staticmethod
    def nothing() -> _Reclaimed:
        return _Reclaimed(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _reclaim(
    category: NDArray[Any],
    components: NDArray[Any],
    order: NDArray[np.int64],
    of_component: NDArray[np.int64],
    dilation_px: int,
) -> _Reclaimed:
    """Finds every pixel that an earlier component than its own, or any if it has none, takes."""
    count = len(order)
    none = np.int32(count)
    rank_of = np.full(count + 1, none, dtype=np.int32)
    rank_of[order] = np.arange(count, dtype=np.int32)
    margin = dilation_px
    rank = np.full(tuple(side + 2 * margin for side in category.shape), none, dtype=np.int32)
    inside = (slice(margin, -margin), slice(margin, -margin))
    rank[inside] = rank_of.take(components)
    candidates = _near_an_earlier_component(rank, none, dilation_px)[inside] & (category > 0)
    position = np.flatnonzero(candidates)
    row, column = np.divmod(position, category.shape[1])
    centre = (row + margin) * rank.shape[1] + column + margin
    # Ranks of one category are consecutive: after subtracting its first, unsigned arithmetic makes
    # those of every other category larger than all of its own.
    sorted_category = of_component[order]
    wanted = category.reshape(-1)[position]
    start = np.searchsorted(sorted_category, wanted, side="left").astype(np.uint32)
    stop = np.searchsorted(sorted_category, wanted, side="right").astype(np.uint32)
    flat = rank.reshape(-1).view(np.uint32)
    first = np.full(len(position), np.iinfo(np.uint32).max, dtype=np.uint32)
    for offset in _ball(dilation_px, rank.shape[1]):
        np.minimum(first, flat[centre + offset] - start, out=first)
    taken = first < stop - start
    rank_taken = first[taken].astype(np.int64) + start[taken]
    is_new = rank_taken != flat[centre[taken]]
    return _Reclaimed(position[taken][is_new], rank_taken[is_new])


def _near_an_earlier_component(
    rank: NDArray[np.int32], none: np.int32, dilation_px: int
) -> NDArray[np.bool_]:
    """A cheap superset by the square around each pixel; ranks are exact in float32 to 2^24."""
    if none >= 1 << 24:
        return np.ones(rank.shape, dtype=np.bool_)
    side = 2 * dilation_px + 1
    as_float = rank.astype(np.float32)
    square = np.ones((side, side), np.uint8)
    lowest = cv2.erode(as_float, square, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(lowest < as_float)


def _ball(radius_px: int, row_stride: int) -> list[int]:
    """Flat offsets of all pixels at an L1 distance of at most `radius_px`."""
    return [
        down * row_stride + right
        for down in range(-radius_px, radius_px + 1)
        for right in range(abs(down) - radius_px, radius_px - abs(down) + 1)
    ]


def _numbered(
    components: NDArray[Any],
    order: NDArray[np.int64],
    of_component: NDArray[np.int64],
    areas: NDArray[np.int64],
    reclaimed: _Reclaimed,
) -> Partition:
    """Numbers components by falling final area and settles overlaps."""
    count = len(order)
    core_area = areas[order]
    final_area = core_area + np.bincount(reclaimed.rank, minlength=count)
    by_area = np.lexsort((np.arange(count), -core_area, of_component[order], -final_area))
    number_of_rank = np.empty(count, dtype=np.int32)
    number_of_rank[by_area] = np.arange(1, count + 1, dtype=np.int32)
    number_of_component = np.zeros(count + 1, dtype=np.int32)
    number_of_component[order] = number_of_rank

    owner = number_of_component.take(components)
    flat = owner.reshape(-1)
    own = flat[reclaimed.position]
    taker = number_of_rank[reclaimed.rank]
    stays = (own > 0) & (own < taker)
    flat[reclaimed.position] = np.where(stays, own, taker)

    def table(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate((np.zeros(1, np.int64), values[by_area]))

    return Partition(
        owner=owner,
        contested=reclaimed.position[stays],
        fallback=taker[stays],
        category=table(of_component[order]),
        core_area_px=table(core_area),
        area_px=table(final_area),
    )
