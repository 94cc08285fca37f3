"""From joint segment tables to true positives, false positives, false negatives and IoU sums.

Works on the rows of any number of images at once, in NumPy: a few hundred rows an image. Every sum
is taken in an order that depends on values only, so neither the order of the images nor the
numbers of the segments change a bit of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relief.metrics.protocols import GroupRegion, PanopticProtocol
from relief.schema.label_spaces import VOID

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Reals = NDArray[np.float64]
MATCH_IOU = 0.5


@dataclass(frozen=True)
class Categories:
    """The classes that the categories of a map stand for.

    Attributes:
        class_index: (K,) row of the class of category k among the ascending class ids; -1 = void.
        splits: (K,) bool, whether the category comes in instances.
    """

    class_index: Ids
    splits: Mask

    def of(self, category: Ids) -> tuple[Ids, Mask]:
        """Class rows and `splits` for category ids of any value; unknown ones are void."""
        known = (category >= 0) & (category < len(self.class_index))
        slot = np.where(known, category, 0)
        if len(self.class_index) == 0:
            return np.full_like(category, VOID), known
        return np.where(known, self.class_index[slot], VOID), known & self.splits[slot]


@dataclass(frozen=True)
class PanopticStatistics:
    """Counts by image and class; row i is image i, column c the c-th of the ascending class ids.

    Attributes:
        iou_sum: (I, C) sum of the IoU of the matched segments.
        tp: (I, C) matched segments.
        fp: (I, C) predicted segments that match none and are not forgiven.
        fn: (I, C) true segments that none matches and that are not forgiven.
        predicted_things: (I,) predicted thing instances, before small ones are dropped.
        true_things: (I,) true objects, group regions apart.
        stuff_iou_sum: (I, C) sum of the IoU of every predicted and true stuff segment of one class,
            matched or not; 0 for things.
        true_segments: (I, C) true segments.
    """

    iou_sum: Reals
    tp: Ids
    fp: Ids
    fn: Ids
    predicted_things: Ids
    true_things: Ids
    stuff_iou_sum: Reals
    true_segments: Ids


@dataclass(frozen=True)
class _Segments:
    """The segments of one side: which each row is part of, and what they are."""

    of_row: Ids  # (N,) segment of each row, -1 = none
    class_index: Ids  # (S,)
    image: Ids  # (S,)
    area_px: Ids  # (S,)

    def pixels_where(self, rows: Mask, pixels: Ids) -> Ids:
        """(S,) pixels of each segment in the chosen rows."""
        chosen = rows & (self.of_row >= 0)
        return _count(self.of_row[chosen], len(self.area_px), pixels[chosen])

    def without(self, dropped: Mask) -> _Segments:
        """The same segments; rows of the dropped ones are part of none."""
        kept = np.append(np.where(dropped, VOID, np.arange(len(dropped))), VOID)
        return _Segments(
            kept[self.of_row],
            self.class_index,
            self.image,
            np.where(dropped, 0, self.area_px),
        )


def panoptic_statistics(
    image: Ids,
    table: Ids,
    num_images: int,
    predicted_categories: Categories,
    true_categories: Categories,
    is_thing: Mask,
    protocol: PanopticProtocol,
) -> PanopticStatistics:
    """Counts matches by image and class.

    After an assignment all pixels of a stuff class are one segment per image; pixels of thing
    clusters without an instance are void; pixels of stuff clusters assigned to a thing class are
    one segment per class and image.

    Args:
        image: (N,) image index 0..num_images-1 of each row.
        table: (N, 5) joint rows of `relief.ops.panoptic.segment_table`.
        num_images: Images in all; those without a row count nothing.
        predicted_categories: Classes of the predicted categories (or clusters).
        true_categories: Classes of the true categories.
        is_thing: (C,) bool by ascending class id.
        protocol: How void, group regions and small segments count.
    """
    predicted_category, predicted_instance, true_category, true_instance, pixels = table.T
    predicted_class, splits = predicted_categories.of(predicted_category)
    is_object = splits & is_thing[predicted_class]
    predicted_void = (predicted_class == VOID) | (is_object & (predicted_instance <= 0))
    predicted = _segments(
        image,
        np.where(predicted_void, VOID, predicted_class),
        np.where(is_object, predicted_category + 1, 0),
        np.where(is_object, predicted_instance, 0),
        pixels,
    )
    true_class, _ = true_categories.of(true_category)
    true_thing = (true_class != VOID) & is_thing[true_class]
    group = true_thing & (true_instance <= 0)
    keeps_groups = protocol.group_region is GroupRegion.SEGMENT
    true = _segments(
        image,
        np.where(group & (not keeps_groups), VOID, true_class),
        np.zeros_like(true_class),
        np.where(true_thing, np.maximum(true_instance, 0), 0),
        pixels,
    )
    shape = (num_images, len(is_thing))
    predicted_things = _objects_per_image(image, predicted.of_row, is_object & ~predicted_void)
    true_things = _objects_per_image(image, true.of_row, true_thing & ~group)

    least_px = np.where(is_thing, protocol.min_thing_px, protocol.min_stuff_px)
    predicted = predicted.without(predicted.area_px < least_px[predicted.class_index])
    true = true.without(true.area_px < least_px[true.class_index])

    forgiven_of_predicted = np.zeros_like(predicted.area_px)
    union_less = np.zeros_like(predicted.area_px)
    if protocol.forgives_true_void:
        union_less = predicted.pixels_where(true_class == VOID, pixels)
        crowd = group & (true_class == predicted_class)
        ignores_groups = protocol.group_region is GroupRegion.CROWD
        forgiven_of_predicted = union_less + predicted.pixels_where(crowd & ignores_groups, pixels)
    forgiven_of_true = np.zeros_like(true.area_px)
    if protocol.forgives_predicted_void:
        forgiven_of_true = true.pixels_where(predicted_void, pixels)

    of_predicted, of_true, iou = _overlaps(
        predicted,
        true,
        pixels,
        predicted.area_px - union_less,
        true.area_px - forgiven_of_true,
    )
    matched = iou > MATCH_IOU
    predicted_match, true_match = of_predicted[matched], of_true[matched]
    wrong = (predicted.area_px > 0) & (2 * forgiven_of_predicted <= predicted.area_px)
    wrong[predicted_match] = False
    missed = (true.area_px > 0) & (2 * forgiven_of_true <= true.area_px)
    missed[true_match] = False
    stuff = ~is_thing[true.class_index[of_true]]
    return PanopticStatistics(
        iou_sum=_sum_by_class(true, true_match, iou[matched], shape),
        tp=_count_by_class(true, true_match, shape),
        fp=_count_by_class(predicted, np.flatnonzero(wrong), shape),
        fn=_count_by_class(true, np.flatnonzero(missed), shape),
        predicted_things=_count(predicted_things, num_images),
        true_things=_count(true_things, num_images),
        stuff_iou_sum=_sum_by_class(true, of_true[stuff], iou[stuff], shape),
        true_segments=_count_by_class(true, np.flatnonzero(true.area_px > 0), shape),
    )


def number_combinations(columns: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Numbers the different rows of some columns of ids >= 0.

    Returns:
        (N,) the number of each row, and (S,) the index of a first row of each number. Numbers
        ascend as the rows do.
    """
    spans = [int(column.max(initial=0)) + 1 for column in columns]
    if int(np.prod([float(span) for span in spans])) < 2**62:
        code = np.zeros_like(columns[0])
        for column, span in zip(columns, spans, strict=True):
            code = code * span + column
        _, first, number = np.unique(code, return_index=True, return_inverse=True)
    else:
        rows = np.stack(columns, axis=1)
        _, first, number = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return number.reshape(-1).astype(np.int64), first.astype(np.int64)


def _segments(image: Ids, class_index: Ids, category: Ids, instance: Ids, pixels: Ids) -> _Segments:
    """Segments are what shares image, class, category and instance; class -1 is part of none."""
    rows = np.flatnonzero(class_index != VOID)
    number, first = number_combinations(
        [image[rows], class_index[rows], category[rows], instance[rows]]
    )
    of_row = np.full(len(image), VOID, dtype=np.int64)
    of_row[rows] = number
    area_px = _count(number, len(first), pixels[rows])
    return _Segments(of_row, class_index[rows][first], image[rows][first], area_px)


def _overlaps(
    predicted: _Segments, true: _Segments, pixels: Ids, predicted_px: Ids, true_px: Ids
) -> tuple[Ids, Ids, Reals]:
    """Pairs of one class that share pixels, and their IoU; a segment has at most one above 1/2."""
    rows = np.flatnonzero((predicted.of_row >= 0) & (true.of_row >= 0))
    same = predicted.class_index[predicted.of_row[rows]] == true.class_index[true.of_row[rows]]
    rows = rows[same]
    pair, first = number_combinations([predicted.of_row[rows], true.of_row[rows]])
    intersection_px = _count(pair, len(first), pixels[rows])
    of_predicted, of_true = predicted.of_row[rows][first], true.of_row[rows][first]
    union_px = predicted_px[of_predicted] + true_px[of_true] - intersection_px
    return of_predicted, of_true, intersection_px / union_px


def _objects_per_image(image: Ids, segment: Ids, rows: Mask) -> Ids:
    """The image of each object: one entry for every segment among the rows."""
    _, first = np.unique(segment[rows], return_index=True)
    return image[rows][first]


def _count(index: Ids, size: int, pixels: Ids | None = None) -> Ids:
    """`bincount` in integers; sums of pixels stay below 2**53 and are exact."""
    return np.bincount(index, weights=pixels, minlength=size).astype(np.int64)


def _count_by_class(segments: _Segments, chosen: Ids, shape: tuple[int, int]) -> Ids:
    cell = segments.image[chosen] * shape[1] + segments.class_index[chosen]
    return _count(cell, shape[0] * shape[1]).reshape(shape)


def _sum_by_class(segments: _Segments, chosen: Ids, values: Reals, shape: tuple[int, int]) -> Reals:
    cell = segments.image[chosen] * shape[1] + segments.class_index[chosen]
    ascending = np.argsort(values, kind="stable")
    size = shape[0] * shape[1]
    total = np.bincount(cell[ascending], weights=values[ascending], minlength=size)
    return total.astype(np.float64).reshape(shape)
