"""From joint tables to figures: counts, assignment, confusion, figures, percent.

The one way there is: the metric of the trainings, `metrics.json`, sweeps and studies all take it,
so that they agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from relief.metrics.classes import Classes
from relief.metrics.panoptic_averages import (
    averages_of_draws,
    panoptic_averages,
    quality_per_class,
    total_statistics,
)
from relief.metrics.panoptic_statistics import (
    Categories,
    Ids,
    Mask,
    PanopticStatistics,
    Reals,
    panoptic_statistics,
)
from relief.metrics.protocols import PanopticProtocol
from relief.metrics.semantic_iou import (
    CategoryCounts,
    category_counts,
    confusion_matrix,
    iou_per_class,
    semantic_averages,
)
from relief.ops.matching import AssignmentRule
from relief.schema.label_spaces import VOID, LabelSpace, thing_mask

PERCENT = 100.0


@dataclass(frozen=True)
class JointRows:
    """Joint tables of several images.

    Attributes:
        image: (N,) image index 0..num_images-1 of each row.
        table: (N, 5) rows of `relief.ops.panoptic.segment_table`; true categories are class ids.
        num_images: Images in all; some may have no row.
    """

    image: Ids
    table: Ids
    num_images: int

    @classmethod
    def of(cls, tables: Sequence[Ids]) -> JointRows:
        """Joins one (N, 5) table per image."""
        image = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        return cls(image, np.concatenate([np.zeros((0, 5), np.int64), *tables]), len(tables))


@dataclass(frozen=True)
class CountsOfMaps:
    """Counts of several maps of the same images, such as those of one cut under area filters.

    Attributes:
        iou_sum: (M, I, C) sum of the IoU of the matched segments.
        tp: (M, I, C) matched segments.
        fp: (M, I, C) predicted segments that match none and are not forgiven.
        fn: (M, I, C) true segments that none matches and that are not forgiven.
        predicted_things: (M,) instances in all images, before small ones are dropped.
        true_things: True objects in all images, group regions apart.
    """

    iou_sum: Reals
    tp: Ids
    fp: Ids
    fn: Ids
    predicted_things: Ids
    true_things: int


@dataclass(frozen=True)
class Assignment:
    """Clusters met classes: (K,) class ids, -1 = void, for segments and for pixels."""

    panoptic: Ids
    semantic: Ids


@dataclass(frozen=True)
class FigureRow:
    """The figures of some labels under one protocol and assignment; shares are in [0, 1].

    Attributes:
        pq: Mean over the classes that occur, as `sq` and `rq`; nan where none does.
        miou: Mean over the classes that occur; nan where none does.
        pixel_accuracy: Share of the labelled pixels whose class is right.
        instances_per_image: Predicted thing instances.
        true_instances_per_image: True objects.
        matched_things: Predicted instances that match an object, in all.
        images: Images in all.
    """

    pq: float
    sq: float
    rq: float
    pq_things: float
    sq_things: float
    rq_things: float
    pq_stuff: float
    sq_stuff: float
    rq_stuff: float
    miou: float
    pixel_accuracy: float
    instances_per_image: float
    true_instances_per_image: float
    matched_things: int
    images: int

    def percent(self) -> dict[str, float]:
        """Returns the figures by name, shares in percent."""
        return {
            name: value if name in _COUNTS else PERCENT * value
            for name, value in asdict(self).items()
        }


_COUNTS = ("instances_per_image", "true_instances_per_image", "matched_things", "images")


@dataclass(frozen=True)
class Figures:
    """All that one protocol says about some labels.

    Attributes:
        row: The averages and counts.
        per_class: (C, 3) PQ, SQ, RQ in [0, 1], nan where a class never occurs.
        iou: (C,) IoU of the pixels in [0, 1], nan for a class neither true nor predicted.
        totals: `iou_sum`, `tp`, `fp`, `fn`, each (C,).
        statistics: The counts by image.
    """

    row: FigureRow
    per_class: Reals
    iou: Reals
    totals: dict[str, Reals]
    statistics: PanopticStatistics


@dataclass(frozen=True)
class Scorer:
    """Scores labels whose categories are clusters, or classes.

    Attributes:
        classes: The classes scored.
        num_categories: Predicted categories are 0..num_categories-1; any other is void.
        things: Categories that come in instances.
        averaged: Class ids that means of PQ, SQ and RQ are taken over; all by default.
    """

    classes: Classes
    num_categories: int
    things: Sequence[int] = ()
    averaged: Sequence[int] | None = None

    @property
    def is_averaged(self) -> Mask | None:
        """(C,) bool, `None` for all classes."""
        return None if self.averaged is None else np.isin(self.classes.ids, self.averaged)

    @classmethod
    def of(cls, space: LabelSpace, num_categories: int, things: Sequence[int] = ()) -> Scorer:
        """A scorer in the classes of a label space."""
        return cls(Classes.of(space.things, space.stuffs), num_categories, things)

    @classmethod
    def of_classes(cls, classes: Classes) -> Scorer:
        """A scorer of labels whose categories are class ids."""
        things = classes.ids[classes.is_thing].tolist()
        return cls(classes, int(classes.ids[-1]) + 1, things)

    def counts(self, table: Ids) -> CategoryCounts:
        """Counts the pixels of joint rows (N, 5) by category and class, whatever the instances."""
        true = self.classes.categories()
        return category_counts(table, self.num_categories, true, len(self.classes.ids))

    def fit(self, rule: AssignmentRule, counts: CategoryCounts) -> Assignment:
        """Lets clusters meet classes by a rule, on the counts of some images."""
        pixels = torch.from_numpy(counts.pixels)
        thing_rows = np.flatnonzero(self.classes.is_thing).tolist()
        ids = np.append(self.classes.ids, VOID)  # row -1 stays -1
        return Assignment(
            ids[rule.panoptic(pixels, self.things, thing_rows).numpy()],
            ids[rule.semantic(pixels, self.things, thing_rows).numpy()],
        )

    def identity(self) -> Assignment:
        """The assignment of categories that are class ids."""
        return Assignment(*(np.arange(self.num_categories),) * 2)

    def confusion(self, counts: CategoryCounts, assignment: Assignment) -> Ids:
        """(C, C + 1) pixels by true and predicted class, as `confusion_matrix`."""
        return confusion_matrix(counts, self.classes.rows(assignment.semantic))

    def figures(
        self, rows: JointRows, confusion: Ids, assignment: Assignment, protocol: PanopticProtocol
    ) -> Figures:
        """Scores images.

        Args:
            rows: Of the panoptic maps.
            confusion: Of the maps that mIoU and accuracy are of.
            assignment: The class of each category.
            protocol: How to count.
        """
        is_thing = self.classes.is_thing
        statistics = panoptic_statistics(
            *(rows.image, rows.table, rows.num_images),
            self.predicted(assignment),
            *(self.classes.categories(), is_thing, protocol),
        )
        totals = total_statistics(statistics)
        forgives_void = protocol.forgives_predicted_void
        images = max(rows.num_images, 1)
        row = FigureRow(
            **panoptic_averages(totals, is_thing, protocol, self.is_averaged),
            **semantic_averages(confusion, forgives_void=forgives_void),
            instances_per_image=float(statistics.predicted_things.sum() / images),
            true_instances_per_image=float(statistics.true_things.sum() / images),
            matched_things=int(totals["tp"][is_thing].sum()),
            images=rows.num_images,
        )
        iou = iou_per_class(confusion, forgives_void=forgives_void)
        return Figures(row, quality_per_class(totals), iou, totals, statistics)

    def predicted(self, assignment: Assignment) -> Categories:
        """The classes of the categories under an assignment."""
        splits = thing_mask(self.things, self.num_categories).numpy()
        return self.classes.clusters(assignment.panoptic, splits)

    def rows_of_maps(
        self, counts: CountsOfMaps, confusion: Ids, protocol: PanopticProtocol
    ) -> list[FigureRow]:
        """The figures of several maps of the same images at once, as `figures` gives each.

        Args:
            counts: By map, image and class.
            confusion: As in `figures`; the same for all.
            protocol: How they were counted.
        """
        totals = {
            "iou_sum": np.sort(counts.iou_sum, axis=1).sum(axis=1),
            "tp": counts.tp.sum(axis=1).astype(np.float64),
            "fp": counts.fp.sum(axis=1).astype(np.float64),
            "fn": counts.fn.sum(axis=1).astype(np.float64),
        }
        num_images = counts.tp.shape[1]
        is_thing, images = self.classes.is_thing, max(num_images, 1)
        averages = averages_of_draws(totals, is_thing, protocol, self.is_averaged)
        pixels = semantic_averages(confusion, forgives_void=protocol.forgives_predicted_void)
        return [
            FigureRow(
                **{name: float(values[index]) for name, values in averages.items()},
                **pixels,
                instances_per_image=float(counts.predicted_things[index] / images),
                true_instances_per_image=float(counts.true_things / images),
                matched_things=int(totals["tp"][index, is_thing].sum()),
                images=num_images,
            )
            for index in range(len(counts.tp))
        ]
