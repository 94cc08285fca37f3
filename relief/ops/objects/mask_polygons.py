"""Masks as polygons along the edges of their pixels, and back to pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from relief.schema.instances import Rle

Polygon = NDArray[np.float64]  # (N, 2) corners x, y in pixels, 0 at the left and upper edge
_CORNERS = 3  # of a polygon, at least


def mask_polygons(mask: NDArray[np.bool_], tolerance_px: float = 0.0) -> list[Polygon]:
    """Returns one polygon for each part of a mask that hangs together, largest first.

    Holes are joined to the outer border by cuts without width, since no format of polygons has
    holes. Without tolerance `polygon_mask` gives the mask back exactly.

    Args:
        mask: (H, W) bool.
        tolerance_px: How far a border may move, at most, to need fewer corners.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    corner = np.array((columns[0], rows[0]), dtype=np.float64)
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    # OpenCV follows the centres of border pixels. Where each pixel is four, a centre says which
    # edge of the pixel it lies at.
    doubled = crop.repeat(2, axis=0).repeat(2, axis=1)
    borders, family = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [_ring(border, tolerance_px) + corner for border in borders]
    parent = family[0, :, 3].tolist()
    outer = [i for i, of in enumerate(parent) if of < 0]
    holes: dict[int, list[Polygon]] = {i: [] for i in outer}
    for i, of in enumerate(parent):
        if of >= 0:
            holes[of].append(rings[i])
    outer.sort(key=lambda i: -_area(rings[i]))
    return [joined_polygon([rings[i], *holes[i]]) for i in outer]


def joined_polygon(polygons: Sequence[Polygon]) -> Polygon:
    """Joins polygons to the first one by cuts without width, each at its nearest corner.

    By the even-odd rule what lies inside stays inside, and holes stay holes.
    """
    first, others = polygons[0], polygons[1:]
    if not others:
        return first
    from scipy.spatial import cKDTree  # a second, where nothing is exported

    corners = cKDTree(first)
    inserted: dict[int, list[Polygon]] = {}
    for ring in others:
        distance, at = corners.query(ring)
        start = int(distance.argmin())
        turned = np.concatenate((ring[start:], ring[: start + 1]))
        inserted.setdefault(int(at[start]), []).append(turned)
    pieces: list[Polygon] = []
    last = 0
    for position in sorted(inserted):
        pieces.append(first[last : position + 1])
        for ring in inserted[position]:
            pieces += [ring, first[position : position + 1]]
        last = position + 1
    return np.concatenate([*pieces, first[last:]])


def polygon_mask(polygons: Sequence[Polygon], size: tuple[int, int]) -> Rle:
    """Returns the pixels of (height, width) that lie in any of the polygons, as COCO draws them.

    Polygons may be flat too: x, y, x, y, ...

    Raises:
        ValueError: A polygon has fewer than three corners, or one that is not finite.
    """
    flat = [polygon.reshape(-1) for polygon in polygons]
    if any(corners.size < 2 * _CORNERS or corners.size % 2 for corners in flat):
        msg = f"a polygon of fewer than {_CORNERS} corners"
        raise ValueError(msg)
    if not all(np.isfinite(corners).all() for corners in flat):
        msg = "a polygon with corners that are not finite"
        raise ValueError(msg)
    merged = coco_mask.merge(coco_mask.frPyObjects([p.tolist() for p in flat], *size))
    return Rle(size=list(merged["size"]), counts=merged["counts"])


def _ring(border: NDArray[np.int32], tolerance_px: float) -> Polygon:
    """Returns the corners of a border that OpenCV found among doubled pixels."""
    corners = (border[:, 0] + 1) // 2
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    into, out = corners - before, after - corners
    ring = corners[into[:, 0] * out[:, 1] != into[:, 1] * out[:, 0]]
    if tolerance_px > 0:
        simpler = cv2.approxPolyDP(ring.astype(np.float32)[:, None], tolerance_px, closed=True)
        ring = simpler[:, 0] if len(simpler) >= _CORNERS else ring
    return ring.astype(np.float64)


def _area(ring: Polygon) -> float:
    x, y = ring.T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
