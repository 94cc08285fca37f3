"""One annotation of a COCO instance JSON: box, mask and score, or why it is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from relief.ops.objects.instance_masks import boxes_of, run_counts
from relief.ops.objects.mask_polygons import polygon_mask
from relief.schema.instances import ImageInstances, Rle


class Misfit(ValueError):
    """An instance that no image can have; its text says why."""


class Annotated(NamedTuple):
    """An instance as its annotation has it."""

    category: int
    box: NDArray[np.float64]
    area_px: float
    score: float
    crowd: bool
    mask: Rle | None


def read_annotation(
    annotation: dict[str, Any], size: tuple[int, int], *, has_mask: bool
) -> Annotated:
    """Reads one entry of `annotations` or of a list of results.

    Args:
        annotation: The entry.
        size: (height, width) of its image.
        has_mask: Whether the file has masks.

    Raises:
        Misfit: Its box has no area, its mask does not fit the image, or is missing.
        ValueError: A value is of another kind; so are other errors of conversions.
    """
    segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
    if has_mask and not segmentation:
        raise Misfit("no segmentation, where others have one")
    mask = _mask(segmentation, size) if has_mask else None
    corners = np.asarray(boxes_of([mask])[0] if mask and not box else box, dtype=np.float64)
    if corners.shape != (4,) or not np.isfinite(corners).all() or min(corners[2:]) <= 0:
        raise Misfit(f"box {box if box else corners.tolist()} has no area")
    score = annotation.get("score")
    if score is not None and not math.isfinite(score):
        raise Misfit(f"score {score} is no number")
    own_px = float(corners[2] * corners[3] if mask is None else coco_mask.area(mask))
    area_px = own_px if score is not None else float(annotation.get("area", own_px))
    crowd = bool(annotation.get("iscrowd", 0))
    category = int(annotation["category_id"])
    return Annotated(category, corners, area_px, 1.0 if score is None else score, crowd, mask)


def _mask(segmentation: Any, size: tuple[int, int]) -> Rle:
    """Returns the mask of a segmentation; raises a `Misfit` where it does not fit its image."""
    if isinstance(segmentation, list):
        polygons = [np.asarray(polygon, dtype=np.float64).ravel() for polygon in segmentation]
        try:
            return polygon_mask(polygons, size)
        except ValueError as error:
            raise Misfit(str(error)) from error
    stated, counts = tuple(segmentation["size"]), segmentation["counts"]
    if stated != size:
        turned = ": height and width are swapped" if stated == size[::-1] else ""
        of = f"RLE of {stated[0]}x{stated[1]} in an image of {size[0]}x{size[1]}"
        raise Misfit(f"{of}{turned}")
    is_packed = isinstance(counts, str)
    try:
        runs = run_counts(counts.encode()) if is_packed else np.asarray(counts, dtype=np.int64)
    except ValueError as error:
        raise Misfit("RLE that cannot be read") from error
    if runs.ndim != 1 or runs.size == 0 or runs.min() < 0 or runs.sum() != math.prod(size):
        raise Misfit(f"RLE whose runs do not fill {size[0]}x{size[1]} px")
    if is_packed:
        return Rle(size=list(size), counts=counts.encode())
    return _as_rle(coco_mask.frPyObjects({"size": list(size), "counts": runs.tolist()}, *size))


def _as_rle(mask: Any) -> Rle:
    return Rle(size=list(mask["size"]), counts=mask["counts"])


def joined_instances(
    instances: Sequence[Annotated], size: tuple[int, int], *, has_masks: bool
) -> ImageInstances:
    """Puts the annotations of an image of that size side by side."""
    masks = [one.mask for one in instances if one.mask is not None]
    return ImageInstances(
        size,
        np.array([one.category for one in instances], dtype=np.int64),
        np.array([one.box for one in instances], dtype=np.float64).reshape(-1, 4),
        np.array([one.area_px for one in instances], dtype=np.float64),
        np.array([one.score for one in instances], dtype=np.float64),
        np.array([one.crowd for one in instances], dtype=np.bool_),
        masks if has_masks else None,
    )
