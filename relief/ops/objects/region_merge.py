"""One panoptic map where the semantic map says what is a thing, and detections part what touches.

For detectors whose semantic head tells thing classes apart. A detector learns what something is
long before it draws its mask well: after few steps the regions of the semantic head are better
objects than the masks of the detections (docs/stage2.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

from relief.ops.objects.panoptic_merge import PUBLISHED_LIMITS, STUFF_AREA_AT_PX, MergeLimits
from relief.ops.splitting.components import connected_components
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.schema.training import Detections, DetectorClasses

LEAST_SHARE = 0.2
"""Detections that cover less of a region than this do not part it."""


def merge_regions(
    semantic: Tensor,
    detections: Detections,
    classes: DetectorClasses,
    limits: MergeLimits = PUBLISHED_LIMITS,
) -> Tensor:
    """Makes an object of every 4-connected thing region, or several where detections say so.

    A detection lies in the region that holds more than half of its pixels. Where two or more lie
    in one, each pixel of the region goes to the one whose box centre is nearest, measured in the
    sides of its box. Detections outside thing regions are left out.

    Args:
        semantic: (H, W) int64 classes of the semantic head, things apart.
        detections: Objects of the same image.
        classes: Turns classes into category ids.
        limits: What is left out; the least area is that of a thing region too.

    Returns:
        (H, W, 2) int64 (category id, instance): objects have instances 1..N, stuff has 0, the rest
        is (-1, 0).

    Raises:
        UsageError: Things share one class of the semantic head.
    """
    require_things_apart(classes)
    limit_px = limits.stuff_area_px * semantic.numel() / STUFF_AREA_AT_PX
    category = classes.category_of_region().to(semantic.device)[semantic]
    is_thing = semantic > classes.num_stuff
    area_of_class = torch.bincount(semantic.flatten(), minlength=1 + classes.num_regions)
    category[~is_thing & (area_of_class < limit_px)[semantic]] = VOID
    components, areas = connected_components(torch.where(is_thing, semantic, VOID))
    kept = areas >= limit_px
    kept[0] = False
    region = torch.where(kept, kept.cumsum(0), 0)[components]
    category[is_thing & (region == 0)] = VOID
    sure = detections["scores"] >= limits.score_threshold
    order = detections["scores"].argsort(descending=True, stable=True)
    order = order[sure[order]]
    masks, boxes = detections["masks"][order], detections["boxes"][order]
    instance = _parted(region, areas[kept], masks, boxes, limits.overlap_threshold)
    ids, instance = instance.unique(return_inverse=True)  # a part may have got no pixel
    return torch.stack((category, instance + int(ids[0] > 0)), dim=-1)


def require_things_apart(classes: DetectorClasses) -> None:
    """Refuses classes that have no regions of single thing classes.

    Raises:
        UsageError: Things share one class of the semantic head.
    """
    if not classes.apart:
        msg = (
            "cannot take objects from regions: predictor.things_from_regions (the network does not "
            "tell its things apart). Train with data.init_args.things_apart true, or leave it out."
        )
        raise UsageError(msg)


def _parted(
    region: Tensor, areas_px: Tensor, masks: Tensor, boxes: Tensor, overlap_threshold: float
) -> Tensor:
    """(H, W) regions 1..N of areas (N,), and (D, H, W) masks by falling score -> instances."""
    instance = region.clone()
    number = len(areas_px)
    lies_in = _homes(region, areas_px, masks)
    for home in lies_in[lies_in > 0].unique().tolist():
        own = region == home
        parts = _apart(masks[lies_in == home] & own, overlap_threshold)
        if len(parts) < 2:
            continue
        rows, columns = own.nonzero(as_tuple=True)
        nearest = _nearest_box(rows, columns, boxes[lies_in == home][parts])
        instance[rows, columns] = torch.where(nearest == 0, home, number + nearest)
        number += len(parts) - 1
    return instance


def _homes(region: Tensor, areas_px: Tensor, masks: Tensor) -> Tensor:
    """(D,) int64: the region that each mask lies in, 0 for none."""
    home = torch.zeros(len(masks), dtype=torch.int64, device=region.device)
    for index, mask in enumerate(masks):
        inside = torch.bincount(region[mask], minlength=len(areas_px) + 1)
        best = int(inside[1:].argmax()) if len(areas_px) else -1
        if best < 0 or inside[best + 1] * 2 <= mask.sum():
            continue
        if inside[best + 1] >= LEAST_SHARE * areas_px[best]:
            home[index] = best + 1
    return home


def _apart(masks: Tensor, overlap_threshold: float) -> list[int]:
    """Which of (D, H, W) masks by falling score are left when covered ones are not counted."""
    painted = torch.zeros_like(masks[0])
    parts = []
    for index, mask in enumerate(masks):
        if (mask & painted).sum() <= overlap_threshold * mask.sum():
            parts.append(index)
            painted |= mask
    return parts


def _nearest_box(rows: Tensor, columns: Tensor, boxes: Tensor) -> Tensor:
    """(P,) int64: for each pixel the box (N, 4) whose centre is nearest, in sides of the box."""
    left, top, right, bottom = boxes.unbind(dim=1)
    along_x = (columns[:, None] + 0.5 - (left + right) / 2) / (right - left)
    along_y = (rows[:, None] + 0.5 - (top + bottom) / 2) / (bottom - top)
    return (along_x.square() + along_y.square()).argmin(dim=1)
