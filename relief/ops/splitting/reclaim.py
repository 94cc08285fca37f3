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

from relief.ops.splitting.components import component_areas_px, label_components


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

    @classmethod
    def of(cls, instance: NDArray[np.int64], category: NDArray[Any]) -> Partition:
        """Takes instances as they are for components: nothing is reclaimed.

        Args:
            instance: (H, W), 0 = none, 1..N; every one within one category.
            category: (H, W) as for `partition`.
        """
        area_px = np.bincount(instance.reshape(-1), minlength=1)
        area_px[0] = 0
        of_instance = np.zeros(len(area_px), np.int64)
        of_instance[instance.reshape(-1)] = category.reshape(-1)
        of_instance[0] = 0
        none = np.zeros(0, np.int64)
        owner = instance.astype(np.int32)
        return cls(owner, none, none.astype(np.int32), of_instance, area_px, area_px)

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
    category: NDArray[Any],
    edges: NDArray[np.bool_] | None = None,
    dilation_px: int = 0,
    least_area_px: int = 1,
) -> Partition:
    """Parts the regions of every category into components.

    Args:
        category: (H, W) unsigned integers: 0 = no thing, else a category; categories never join.
        edges: (H, W) bool; components do not cross these pixels. `None` for no edges.
        dilation_px: L1 distance at which components take pixels of their category back.
        least_area_px: Smaller components are left out, which saves time; area filters must not
            be below it.

    Returns:
        The components before any other area filter.
    """
    margin = max(dilation_px, 0)  # so that neighbours of border pixels can be looked up
    cores = category if edges is None else category * ~edges
    cores = np.pad(cores, margin)
    labels, count = label_components(cores)
    position = np.flatnonzero(labels.astype(np.bool_))  # things are few: look at them only
    component = labels.reshape(-1)[position].astype(np.int64)
    areas = component_areas_px(component, count)
    of_component = np.zeros(count + 1, dtype=np.int64)
    of_component[component] = cores.reshape(-1)[position]
    # Position in the one order: by category, then falling area; `lexsort` keeps scan order.
    order = np.lexsort((-areas[1:], of_component[1:])) + 1
    order = order[areas[order] >= least_area_px]
    found = _Components(cores.shape, position, component, order, of_component[order], areas[order])
    if margin == 0:
        return _numbered(found, _Reclaimed.nothing(), margin)
    return _numbered(found, _reclaim(np.pad(category, margin), found, dilation_px), margin)


@dataclass(frozen=True)
class _Components:
    """Components in a padded map; `order` and what follows are by rank in the one order."""

    shape: tuple[int, ...]
    position: NDArray[np.int64]  # flat positions of the pixels of all components
    component: NDArray[np.int64]  # the component there, 1..count in scan order
    order: NDArray[np.int64]  # (N,) component by rank
    category: NDArray[np.int64]  # (N,) rising
    area_px: NDArray[np.int64]  # (N,)

    def painted(self, value_of_rank: NDArray[np.int32], background: int) -> NDArray[np.int32]:
        """A map of values by rank, `background` where there is no component of the order."""
        count = int(self.component.max(initial=0))
        value_of_component = np.full(count + 1, background, dtype=np.int32)
        value_of_component[self.order] = value_of_rank
        values = np.full(self.shape, background, dtype=np.int32)
        values.reshape(-1)[self.position] = value_of_component.take(self.component)
        return values


@dataclass(frozen=True)
class _Reclaimed:
    """Pixels at `position` (flat) are taken by the component at `rank` of the order."""

    position: NDArray[np.int64]
    rank: NDArray[np.int64]

    @staticmethod
    def nothing() -> _Reclaimed:
        return _Reclaimed(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _reclaim(category: NDArray[Any], found: _Components, dilation_px: int) -> _Reclaimed:
    """Finds every pixel that an earlier component than its own, or any if it has none, takes."""
    none = len(found.order)
    rank = found.painted(np.arange(none, dtype=np.int32), none)
    near = _near_an_earlier_component(rank, none, dilation_px)
    position = np.flatnonzero(near & category.astype(np.bool_))
    # Ranks of one category are consecutive: after subtracting its first, unsigned arithmetic makes
    # those of every other category larger than all of its own.
    wanted = category.reshape(-1)[position]
    known = np.arange(int(wanted.max(initial=0)) + 1)
    start = np.searchsorted(found.category, known, side="left").astype(np.uint32)
    size = np.searchsorted(found.category, known, side="right").astype(np.uint32) - start
    start, size = start[wanted], size[wanted]
    flat = rank.reshape(-1).view(np.uint32)
    reach = dilation_px * rank.shape[1] + dilation_px
    corner = position - reach
    first = np.full(len(position), np.iinfo(np.uint32).max, dtype=np.uint32)
    neighbour = np.empty_like(first)
    for offset in _ball(dilation_px, rank.shape[1]):
        flat[reach + offset :].take(corner, out=neighbour, mode="clip")
        neighbour -= start
        np.minimum(first, neighbour, out=first)
    taken = (first < size) & (first + start != flat[position])
    return _Reclaimed(position[taken], (first + start)[taken].astype(np.int64))


def _near_an_earlier_component(
    rank: NDArray[np.int32], none: int, dilation_px: int
) -> NDArray[np.bool_]:
    """A cheap superset by the square around each pixel; ranks are exact in float32 to 2^24."""
    if none >= 1 << 24:
        inside = np.zeros(rank.shape, dtype=np.bool_)
        inside[dilation_px:-dilation_px, dilation_px:-dilation_px] = True
        return inside
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


def _numbered(found: _Components, reclaimed: _Reclaimed, margin: int) -> Partition:
    """Numbers components by falling final area, settles overlaps and takes the margin off."""
    count = len(found.order)
    final_area = found.area_px + np.bincount(reclaimed.rank, minlength=count)
    by_area = np.lexsort((np.arange(count), -found.area_px, found.category, -final_area))
    number_of_rank = np.empty(count, dtype=np.int32)
    number_of_rank[by_area] = np.arange(1, count + 1, dtype=np.int32)

    owner = found.painted(number_of_rank, 0)
    flat = owner.reshape(-1)
    own = flat[reclaimed.position]
    taker = number_of_rank[reclaimed.rank]
    stays = (own > 0) & (own < taker)
    flat[reclaimed.position] = np.where(stays, own, taker)
    row, column = np.divmod(reclaimed.position[stays], found.shape[1])
    width = found.shape[1] - 2 * margin

    def table(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate((np.zeros(1, np.int64), values[by_area]))

    return Partition(
        owner=np.ascontiguousarray(owner[margin:-margin, margin:-margin]) if margin else owner,
        contested=(row - margin) * width + column - margin,
        fallback=taker[stays],
        category=table(found.category),
        core_area_px=table(found.area_px),
        area_px=table(final_area),
    )
