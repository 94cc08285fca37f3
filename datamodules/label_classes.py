"""Which categories of some labels are things: as they say, or as their instances show."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from relief.formats.reader import LabelReader
from relief.ops.objects.pseudo_targets import (
    InsideCounts,
    ThingStuffRule,
    check_classes,
    count_inside,
)
from relief.processes.progress import with_progress
from relief.schema.errors import ReadError
from relief.schema.training import DetectorClasses

log = logging.getLogger("relief")


def decide_classes(
    keys: Sequence[str], labels: LabelReader, rule: ThingStuffRule, *, keep_empty: bool
) -> tuple[list[str], DetectorClasses]:
    """The images to train on and the detector's classes; reads labels only where it must.

    Args:
        keys: Images that have labels.
        labels: The labels.
        rule: Decides where the labels do not say what is a thing.
        keep_empty: Keep images without any instance.

    Raises:
        UsageError: There are no things or no stuff; the message has the figures.
        ReadError: Labels of an image cannot be read.
    """
    kept, counts = list(keys), None
    if labels.thing_ids is None or not keep_empty:
        kept, counts = _count(keys, labels, keep_empty=keep_empty)
    if labels.thing_ids is None and counts is not None:
        return kept, rule.classes(counts)
    if counts is None:
        _tell_without_objects(kept, labels)
    things = tuple(sorted(labels.thing_ids or ()))
    stuff = tuple(c for c in range(labels.num_categories) if c not in set(things))
    if things and not stuff:  # labels without classes: every object is one
        return kept, DetectorClasses(things, ())
    return kept, check_classes(DetectorClasses(things, stuff), counts)


def _tell_without_objects(keys: Sequence[str], labels: LabelReader) -> None:
    """Says so where no image has an object; the first that has one ends the search."""
    if not any(_may_have_objects(labels, key) for key in keys):
        log.warning(
            "no object in any of %d images to learn from: the detector will find none. "
            "Look at the instances in the labels' report.html.",
            len(keys),
        )


def _may_have_objects(labels: LabelReader, key: str) -> bool:
    try:
        return bool((labels.panoptic(key)[..., 1] > 0).any())
    except ReadError:
        return True  # the training stops at this image, if it comes to it


def _count(
    keys: Sequence[str], labels: LabelReader, *, keep_empty: bool
) -> tuple[list[str], InsideCounts]:
    number = labels.num_categories
    total = InsideCounts(torch.zeros(number).long(), torch.zeros(number).long())
    kept = []
    for key in with_progress(keys, "things and stuff", len(keys)):
        counts = count_inside(labels.panoptic(key), number)
        total = InsideCounts(total.pixels + counts.pixels, total.inside + counts.inside)
        if keep_empty or int(counts.inside.sum()) > 0:
            kept.append(key)
    if not kept:
        check_classes(DetectorClasses((), tuple(range(number))), total)
    return kept, total
