"""From panoptic labels to what the detector learns, and which of their categories are things."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from relief.ops.objects.panoptic_map import majority_category
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.schema.training import THING_REGION, DetectorClasses

_SMALLEST_SHARE = 1e-6
_MOST_VOTES = 2**22  # of instances for categories, counted at once


class InsideCounts(NamedTuple):
    """How many pixels each category has, and how many of them inside instances."""

    pixels: Tensor  # (K,) int64
    inside: Tensor  # (K,) int64


def count_inside(panoptic: Tensor, num_categories: int) -> InsideCounts:
    """Counts one (H, W, 2) map."""
    category, instance = panoptic.reshape(-1, 2).unbind(-1)
    known = category >= 0
    return InsideCounts(
        category[known].bincount(minlength=num_categories),
        category[known & (instance > 0)].bincount(minlength=num_categories),
    )


class ThingStuffRule(ABC):
    """Decides from pixel counts which categories come as single objects."""

    @abstractmethod
    def things(self, counts: InsideCounts) -> tuple[int, ...]:
        """Ascending ids of the categories that are things."""
        ...

    def classes(self, counts: InsideCounts) -> DetectorClasses:
        """Both sides of the decision.

        Raises:
            UsageError: One side would be empty; the message has the shares.
        """
        things = self.things(counts)
        stuff = tuple(c for c in range(len(counts.pixels)) if c not in set(things))
        return check_classes(DetectorClasses(things, stuff), counts)


class InsideShare(ThingStuffRule):
    """Things are the categories of whose pixels more than `threshold` lie inside instances."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def things(self, counts: InsideCounts) -> tuple[int, ...]:
        """Ascending ids of the categories that are things."""
        return tuple((inside_share(counts) > self.threshold).nonzero()[:, 0].tolist())


class NormalisedInsideShare(ThingStuffRule):
    """The published rule: shares divided by their sum over all categories, then a threshold.

    The sum makes it depend on how many categories there are: with 15 equally thing-like ones none
    passes 0.08, and where all pass, none does.
    """

    def __init__(self, threshold: float = 0.08) -> None:
        self.threshold = threshold

    def things(self, counts: InsideCounts) -> tuple[int, ...]:
        """Ascending ids of the categories that are things."""
        share = inside_share(counts)
        sorted_share, category = share.sort(descending=True, stable=True)
        passes = sorted_share / sorted_share.sum().clamp_min(_SMALLEST_SHARE) > self.threshold
        number = int(passes.to(torch.int64).argmin())
        return tuple(sorted(category[:number].tolist()))


def inside_share(counts: InsideCounts) -> Tensor:
    """(K,) float64 in [0, 1]: the share of each category's pixels that lie inside instances."""
    return counts.inside.double() / (counts.pixels.double() + _SMALLEST_SHARE)


def check_classes(classes: DetectorClasses, counts: InsideCounts | None = None) -> DetectorClasses:
    """The classes, when there are things and stuff among them.

    Raises:
        UsageError: One side is empty; the message has the largest shares when there are counts.
    """
    if classes.things and classes.stuff:
        return classes
    side = "things" if not classes.things else "stuff"
    figures = ""
    if counts is not None:
        share, category = inside_share(counts).sort(descending=True, stable=True)
        pairs = [f"{c}: {s:.2f}" for c, s in zip(category[:5].tolist(), share[:5], strict=False)]
        figures = f" (largest shares of pixels inside instances: {', '.join(pairs)})"
    msg = (
        f"no {side} among {classes.num_things + classes.num_stuff} categories: data.labels"
        f"{figures}. Use labels with instances, or another data.thing_rule."
    )
    raise UsageError(msg)


class DetectorTargets(NamedTuple):
    """The targets of one image; the words of `TrainingBatch`."""

    semantic: Tensor  # (H, W) int64: 0 = things, j + 1 = stuff j, -1 = ignored
    instance: Tensor  # (H, W) int64: 0 = none, 1..N
    classes: Tensor  # (N,) int64 thing class


def detector_targets(
    panoptic: Tensor, classes: DetectorClasses, *, ignore_unknown_things: bool = False
) -> DetectorTargets:
    """Maps the ids of labels to those of the detector.

    An instance has the category of most of its pixels, void ones not counted. One of a stuff
    category, or of none, is no object, and its pixels are ignored. A device is waited for twice.

    Args:
        panoptic: (H, W, 2) int64 (category, instance), instances numbered within the image.
        classes: The detector's classes.
        ignore_unknown_things: Thing pixels without an instance are ignored; else they train the
            semantic head as things.
    """
    category, instance = panoptic.unbind(-1)
    device = panoptic.device
    semantic_of = torch.cat((classes.semantic_of_category(), torch.tensor([VOID]))).to(device)
    thing_of = torch.cat((classes.thing_of_category(), torch.tensor([VOID]))).to(device)
    category = torch.where(category < classes.num_categories, category, VOID)
    largest = int(instance.max()) if instance.numel() else 0
    if largest * classes.num_categories > _MOST_VOTES:
        ids, position = instance.unique(return_inverse=True)  # 0 comes first where it occurs
        instance = position + (1 if int(ids[0]) > 0 else 0)
        largest = len(ids)
    majority = majority_category(category, instance, classes.num_categories, largest)
    thing = thing_of[majority]  # entry 0 is no instance; -1 reads the last: void
    is_object = thing >= 0
    number = torch.where(is_object, is_object.cumsum(0), 0)[instance]
    semantic = semantic_of[category]
    semantic = torch.where((instance > 0) & (number == 0), VOID, semantic)
    of_objects = thing[is_object]
    region_of_object = classes.region_of_thing().to(device)[of_objects]
    region = torch.cat((region_of_object.new_tensor([THING_REGION]), region_of_object))[number]
    semantic = torch.where(number > 0, region, semantic)
    if ignore_unknown_things:
        semantic = torch.where((thing_of[category] >= 0) & (number == 0), VOID, semantic)
    return DetectorTargets(semantic, number, of_objects)
