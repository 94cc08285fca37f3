"""The counts of a panoptic quality under all area filters of one cut, from its versions.

Equal to the last bit to `relief.metrics.panoptic_statistics` of each filter by itself: the same
integers are divided, and IoU are summed in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relief.metrics.classes import Classes
from relief.metrics.panoptic_statistics import (
    MATCH_IOU,
    Categories,
    Ids,
    Mask,
    Reals,
    number_combinations,
)
from relief.metrics.protocols import GroupRegion, PanopticProtocol
from relief.metrics.scoring import CountsOfMaps
from relief.schema.label_spaces import VOID
from relief.studies.sweeps.filtered_segments import SpannedRows, Versions


@dataclass(frozen=True)
class _Rows:
    """Pixels with what is predicted and true of them, joined from versions and the rest."""

    image: Ids
    version: Ids  # -1 where no object of its own
    predicted: Ids  # class, -1 = void
    true_class: Ids
    true_segment: Ids  # -1 = none
    is_group: Mask
    pixels: Ids
    first: Ids
    last: Ids


@dataclass(frozen=True)
class _True:
    """True segments, (T,)."""

    image: Ids
    class_index: Ids
    area_px: Ids


def filtered_counts(
    versions: Versions,
    others: SpannedRows,
    shape: tuple[int, int],
    predicted_categories: Categories,
    classes: Classes,
    protocol: PanopticProtocol,
) -> CountsOfMaps:
    """Counts matches by filter, image and class.

    Args:
        versions: Instances of all images.
        others: All other pixels.
        shape: Filters and images in all.
        predicted_categories: Classes of the predicted categories.
        classes: Those of the ground truth.
        protocol: One that does not forgive predicted void.

    Raises:
        ValueError: It does.
    """
    if protocol.forgives_predicted_void:
        msg = "protocols that forgive predicted void: true areas would change with the filter."
        raise ValueError(msg)
    num_filters, num_images = shape
    is_thing, num_classes = classes.is_thing, len(classes.ids)
    class_of_version, splits = predicted_categories.of(versions.category)
    is_object = splits & (class_of_version != VOID) & is_thing[class_of_version]
    rows, true, true_things = _rows(
        versions, others, class_of_version, is_object, predicted_categories, classes, protocol
    )
    least_px = np.where(is_thing, protocol.min_thing_px, protocol.min_stuff_px)
    large = true.area_px >= np.maximum(least_px[true.class_index], 1)
    cells = (num_filters, num_images, num_classes)
    found = [
        _of_objects(rows, true, large, versions, class_of_version, is_object, least_px, protocol),
        _of_regions(rows, true, large, cells, least_px, protocol),
    ]
    matches = zip(*(one[:3] for one in found), strict=True)
    iou, of_filter, of_true = (np.concatenate(each) for each in matches)
    cell = (of_filter * num_images + true.image[of_true]) * num_classes + true.class_index[of_true]
    size = int(np.prod(cells))
    order = np.argsort(iou, kind="stable")
    iou_sum = np.bincount(cell[order], weights=iou[order], minlength=size).reshape(cells)
    tp = np.bincount(cell, minlength=size).reshape(cells)
    spans = np.zeros((num_filters + 1, num_images * num_classes), np.int64)
    wrong = found[0][3]
    at = versions.image[wrong] * num_classes + class_of_version[wrong]
    np.add.at(spans, (versions.first[wrong], at), 1)
    np.add.at(spans, (versions.last[wrong], at), -1)
    fp = spans.cumsum(axis=0)[:-1].reshape(cells) + found[1][3]
    at_true = true.image[large] * num_classes + true.class_index[large]
    every = np.bincount(at_true, minlength=num_images * num_classes).reshape(cells[1:])
    there = np.zeros(num_filters + 1, np.int64)
    np.add.at(there, versions.first[is_object], 1)
    np.add.at(there, versions.last[is_object], -1)
    return CountsOfMaps(
        iou_sum.astype(np.float64), tp, fp, every[None] - tp, there.cumsum()[:-1], true_things
    )


def _rows(
    versions: Versions,
    others: SpannedRows,
    class_of_version: Ids,
    is_object: Mask,
    predicted_categories: Categories,
    classes: Classes,
    protocol: PanopticProtocol,
) -> tuple[_Rows, _True, int]:
    """Joins all pixels and numbers the true segments; also counts true objects."""
    of_row = versions.of_row
    other_class, other_splits = predicted_categories.of(others.category)
    is_void = (other_class == VOID) | (other_splits & classes.is_thing[other_class])
    true_category = np.concatenate((versions.true_category, others.true_category))
    true_instance = np.concatenate((versions.true_instance, others.true_instance))
    image = np.concatenate((versions.image[of_row], others.image))
    first = np.concatenate((versions.first[of_row], others.first))
    last = np.concatenate((versions.last[of_row], others.last))
    pixels = np.concatenate((versions.pixels, others.pixels))
    true_class, _ = classes.categories().of(true_category)
    thing = (true_class != VOID) & classes.is_thing[true_class]
    group = thing & (true_instance <= 0)
    keeps_groups = protocol.group_region is GroupRegion.SEGMENT
    counted = (true_class != VOID) & ~(group & (not keeps_groups))
    instance = np.where(thing, np.maximum(true_instance, 0), 0)
    number, one = number_combinations([image[counted], true_class[counted], instance[counted]])
    segment = np.full(len(image), VOID, np.int64)
    segment[counted] = number
    here = np.flatnonzero(counted)[one]
    at_start = counted & (first == 0)  # under the first filter every pixel is in one row
    area = np.bincount(segment[at_start], weights=pixels[at_start], minlength=len(here))
    rows = _Rows(
        image,
        np.concatenate((np.where(is_object, np.arange(len(is_object)), VOID)[of_row],
                        np.full(len(others.image), VOID))),
        np.concatenate((class_of_version[of_row], np.where(is_void, VOID, other_class))),
        *(true_class, segment, group, pixels, first, last),
    )  # fmt: skip
    true = _True(image[here], true_class[here], area.astype(np.int64))
    return rows, true, int((thing & ~group)[here].sum())


def _forgiven(rows: _Rows, protocol: PanopticProtocol) -> tuple[Mask, Mask]:
    """Rows that leave the union, and those that are forgiven beside them."""
    if not protocol.forgives_true_void:
        nothing = np.zeros(len(rows.image), np.bool_)
        return nothing, nothing
    crowd = rows.is_group & (rows.true_class == rows.predicted)
    return rows.true_class == VOID, crowd & (protocol.group_region is GroupRegion.CROWD)


def _of_objects(
    rows: _Rows,
    true: _True,
    large: Mask,
    versions: Versions,
    class_of_version: Ids,
    is_object: Mask,
    least_px: Ids,
    protocol: PanopticProtocol,
) -> tuple[Reals, Ids, Ids, Ids]:
    """IoU, filter and true segment of every match under every filter; versions that are wrong."""
    own = rows.version >= 0
    version, pixels, segment = rows.version[own], rows.pixels[own], rows.true_segment[own]
    size = len(is_object)
    area = _sums(version, pixels, size)
    out_of_union, beside = (_sums(version, pixels * one[own], size)
                            for one in _forgiven(rows, protocol))  # fmt: skip
    exists = is_object & (area >= np.maximum(least_px[class_of_version], 1))
    meets = (segment >= 0) & exists[version]
    meets &= large[segment] & (true.class_index[segment] == class_of_version[version])
    pair, one = number_combinations([version[meets], segment[meets]])
    common = _sums(pair, pixels[meets], len(one))
    of_version, of_true = version[meets][one], segment[meets][one]
    union = area[of_version] - out_of_union[of_version] + true.area_px[of_true] - common
    iou = common / union
    matched = iou > MATCH_IOU
    of_version, of_true, iou = of_version[matched], of_true[matched], iou[matched]
    wrong = exists & (2 * (out_of_union + beside) <= area)
    wrong[of_version] = False
    span = versions.last[of_version] - versions.first[of_version]
    before = np.cumsum(span) - span
    of_filter = np.arange(int(span.sum())) - np.repeat(before - versions.first[of_version], span)
    return np.repeat(iou, span), of_filter, np.repeat(of_true, span), np.flatnonzero(wrong)


def _of_regions(
    rows: _Rows,
    true: _True,
    large: Mask,
    cells: tuple[int, int, int],
    least_px: Ids,
    protocol: PanopticProtocol,
) -> tuple[Reals, Ids, Ids, Ids]:
    """As `_of_objects`, of what is one segment for an image and class; wrong ones by cell."""
    num_filters, num_images, num_classes = cells
    own = (rows.version < 0) & (rows.predicted != VOID)
    region = (rows.image * num_classes + rows.predicted)[own]
    pixels, segment = rows.pixels[own], rows.true_segment[own]
    spans = (rows.first[own], rows.last[own])
    size = num_images * num_classes
    area = spanned(region, pixels, spans, num_filters, size)
    out_of_union, beside = (spanned(region, pixels * one[own], spans, num_filters, size)
                            for one in _forgiven(rows, protocol))  # fmt: skip
    least = np.maximum(np.tile(least_px, num_images), 1)
    exists = area >= least
    meets = (segment >= 0) & large[segment]
    meets &= true.class_index[segment] == region % num_classes
    pair, one = number_combinations([region[meets], segment[meets]])
    of_region, of_true = region[meets][one], segment[meets][one]
    of_span = (spans[0][meets], spans[1][meets])
    common = spanned(pair, pixels[meets], of_span, num_filters, len(one))
    union = (area - out_of_union)[:, of_region] + true.area_px[of_true] - common
    iou = common / np.maximum(union, 1)
    of_filter, of_pair = np.nonzero((iou > MATCH_IOU) & exists[:, of_region])
    wrong = exists & (2 * (out_of_union + beside) <= area)
    wrong[of_filter, of_region[of_pair]] = False
    told = (iou[of_filter, of_pair], of_filter.astype(np.int64), of_true[of_pair])
    return *told, wrong.reshape(cells).astype(np.int64)


def _sums(index: Ids, pixels: Ids, size: int) -> Ids:
    return np.bincount(index, weights=pixels, minlength=size).astype(np.int64)


def spanned(index: Ids, pixels: Ids, spans: tuple[Ids, Ids], num_filters: int, size: int) -> Ids:
    """Sums pixels that count under some of the filters.

    Args:
        index: (N,) what each row is counted for, below `size`.
        pixels: (N,) of each row.
        spans: (N,) the filter from which on it counts, and the one before which that ends.
        num_filters: F.
        size: How many are counted for.

    Returns:
        (F, size) sums under each filter.
    """
    first, last = spans
    changes = _sums(first * size + index, pixels, (num_filters + 1) * size)
    changes -= _sums(last * size + index, pixels, (num_filters + 1) * size)
    return changes.reshape(num_filters + 1, size).cumsum(axis=0)[:-1]
