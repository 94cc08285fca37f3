"""Average precision and recall of scored instances, as COCO measures boxes and masks.

Masks are compared when an image is added; the state keeps areas, scores and overlaps, some
kilobytes an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from relief.metrics.coco_evaluation import CocoRules, InstanceTable, coco_curves, mean_of_known
from relief.metrics.image_rows import ImageRows
from relief.metrics.panoptic_statistics import Ids, Reals
from relief.metrics.segment_rows import images_once
from relief.schema.instances import ImageInstances

BOXES, MASKS = "boxes", "masks"
BY_CLASS, PER_CLASS = "_by_class", "per_class"
COCO = CocoRules(
    np.linspace(0.5, 0.95, 10).tolist(),
    (1, 10, 100),
    {
        "all": (0, 1e10),
        "small": (0, 32**2),
        "medium": (32**2, 96**2),
        "large": (96**2, 1e10),
    },
)
_IMAGE, _PREDICTED, _TRUE, _PAIR = range(4)  # kinds of rows


class InstanceAveragePrecision(ImageRows):
    """COCO's average precision (AP) and recall (AR), without classes and, if asked, by class.

    Without classes every category counts as one, and the 100 surest instances of an image are
    matched to its objects; by class the 100 surest of each class. Crowd regions forgive what lies
    in them. The size of an object is its area in the ground truth, of an instance that of its box
    or mask. An image whose `key` was seen before counts once, on whatever rank.

    Args:
        class_ids: Categories that are also measured one by one; none by default.
        kinds: `boxes`, `masks` or both.
        **kwargs: For `torchmetrics.Metric`.

    Raises:
        ValueError: A kind is none of these.
    """

    width = 6

    def __init__(
        self, class_ids: Sequence[int] = (), kinds: Sequence[str] = (BOXES, MASKS), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not kinds or not set(kinds) <= {BOXES, MASKS}:
            msg = f"Expected `kinds` among {BOXES} and {MASKS}, got {list(kinds)}"
            raise ValueError(msg)
        self.class_ids, self.kinds = tuple(class_ids), tuple(kinds)

    def update(
        self,
        preds: Sequence[ImageInstances],
        target: Sequence[ImageInstances],
        key: Sequence[str] | None = None,
    ) -> None:
        """Adds images.

        Args:
            preds: Instances of each image.
            target: Its objects.
            key: Stable ids of the images; without them every image counts, repeated or not.

        Raises:
            ValueError: The numbers of images or the sizes of one differ, or masks are missing.
        """
        keys = [None] * len(preds) if key is None else key
        for predicted, true, name in zip(preds, target, keys, strict=True):
            if predicted.size != true.size:
                msg = f"Expected `preds` of the size {true.size} of `target`, got {predicted.size}"
                raise ValueError(msg)
            self.add_image(torch.from_numpy(self._rows(predicted, true)).to(self.device), name)

    def compute(self) -> dict[str, Tensor]:
        """The figures, as often as wanted.

        Returns:
            By `KIND/NAME` scalars in [0, 1], float64, nan where there is nothing to find: `ap`
            over IoU .50 to .95, `ap50`, `ap75`, `ar1`, `ar10`, `ar100`, and `ap` and `ar` of
            `_small`, `_medium` and `_large` objects. With `class_ids` also `KIND_by_class/NAME`,
            means over the classes that occur, and `KIND_by_class/per_class` (C, 3): AP, AP50,
            AP75 of each. `images` counts.
        """
        rows = self._rows_by_image()
        figures: dict[str, Any] = {"images": len(rows)}
        for kind in self.kinds:
            tables = [_table(one, kind) for one in rows]
            collapsed = [_without_classes(one) for one in tables]
            figures |= {f"{kind}/{name}": v for name, v in instance_figures(collapsed).items()}
            if self.class_ids:
                by_class = instance_figures(tables, self.class_ids)
                figures |= {f"{kind}{BY_CLASS}/{name}": v for name, v in by_class.items()}
        return {
            name: torch.as_tensor(value, dtype=torch.float64, device=self.device)
            for name, value in figures.items()
        }

    def tables(self, kind: str) -> list[InstanceTable]:
        """Returns a table without classes for each image, in an order that their keys decide."""
        return [_without_classes(_table(rows, kind)) for rows in self._rows_by_image()]

    def _rows_by_image(self) -> list[Ids]:
        image, table, num_images = images_once(self.all_rows())
        bounds = np.searchsorted(np.sort(image), np.arange(num_images + 1))
        ordered = table[np.argsort(image, kind="stable")]
        return [ordered[first:last] for first, last in pairwise(bounds)]

    def _rows(self, predicted: ImageInstances, true: ImageInstances) -> Ids:
        """(N, 6) kind of row, number, and of an instance or object, or of a pair, four values."""
        iou = {kind: overlaps(predicted, true, kind) for kind in self.kinds}
        near = [one >= COCO.thresholds[0] for one in iou.values()]
        row, column = np.nonzero(np.any(near, axis=0))
        ious = [
            iou[kind][row, column] if kind in iou else np.zeros(len(row)) for kind in (BOXES, MASKS)
        ]
        box_px = predicted.boxes[:, 2] * predicted.boxes[:, 3]
        parts = [
            np.array([[_IMAGE, 0, 0, 0, 0, 0]]),
            _columns(
                _PREDICTED,
                np.arange(len(predicted)),
                predicted.category,
                predicted.scores,
                box_px,
                predicted.area_px,
            ),
            _columns(_TRUE, np.arange(len(true)), true.category, true.crowd, true.area_px, None),
            _columns(_PAIR, row, column, *ious, None),
        ]
        return np.concatenate(parts)


def instance_figures(
    images: Sequence[InstanceTable], class_ids: Sequence[int] = (1,)
) -> dict[str, float | Reals]:
    """Returns the figures of `InstanceAveragePrecision` of one kind, and `per_class` (C, 3)."""
    curves = coco_curves(images, class_ids, COCO)
    precision, recall = curves.precision[..., -1], curves.recall
    at_50, at_75 = (COCO.thresholds.index(t) for t in (0.5, 0.75))
    figures: dict[str, float | Reals] = {
        "ap": mean_of_known(precision[..., 0]),
        "ap50": mean_of_known(precision[at_50, ..., 0]),
        "ap75": mean_of_known(precision[at_75, ..., 0]),
    }
    for i, most in enumerate(COCO.max_instances):
        figures[f"ar{most}"] = mean_of_known(recall[..., 0, i])
    for i, size in list(enumerate(COCO.sizes_px))[1:]:
        figures[f"ap_{size}"] = mean_of_known(precision[..., i])
        figures[f"ar_{size}"] = mean_of_known(recall[..., i, -1])
    figures[PER_CLASS] = np.array(
        [
            [mean_of_known(one[..., 0]), *(mean_of_known(one[t, :, 0]) for t in (at_50, at_75))]
            for one in np.moveaxis(precision, 2, 0)
        ]
    )
    return figures


def overlaps(
    predicted: ImageInstances, true: ImageInstances, kind: str, *, of_instance: bool = False
) -> NDArray[np.float64]:
    """Returns the (P, T) IoU of the boxes or masks of one image.

    Args:
        predicted: Its instances.
        true: Its objects; of a crowd the overlap is the share of the instance inside it.
        kind: `boxes` or `masks`.
        of_instance: Whether all overlaps are such shares.

    Raises:
        ValueError: Masks are asked for and missing.
    """
    if len(predicted) == 0 or len(true) == 0:
        return np.zeros((len(predicted), len(true)))
    shares = (true.crowd | of_instance).astype(np.uint8).tolist()
    if kind == BOXES:
        return np.asarray(coco_mask.iou(predicted.boxes, true.boxes, shares))
    if predicted.masks is None or true.masks is None:
        msg = f"Expected masks of both sides for kind {MASKS}, got boxes only"
        raise ValueError(msg)
    return np.asarray(coco_mask.iou(list(predicted.masks), list(true.masks), shares))


def _columns(kind: int, *values: Any) -> Ids:
    """Puts values side by side as whole numbers: those with a point keep their bits."""
    length = len(values[0])
    columns = [np.full(length, kind)]
    for value in values:
        column = np.zeros(length, np.int64) if value is None else np.asarray(value)
        real = column.dtype == np.float64
        columns.append(column.view(np.int64) if real else column.astype(np.int64))
    return np.stack(columns, axis=1)


def _table(rows: Ids, kind: str) -> InstanceTable:
    """Reads the rows of one image back."""
    predicted, true, pairs = (rows[rows[:, 0] == part, 1:] for part in (_PREDICTED, _TRUE, _PAIR))
    iou = np.zeros((len(predicted), len(true)))
    iou[pairs[:, 0], pairs[:, 1]] = _real(pairs[:, 2 if kind == BOXES else 3])
    return InstanceTable(
        iou,
        _real(predicted[:, 2]),
        _real(predicted[:, 3 if kind == BOXES else 4]),
        _real(true[:, 3]),
        true[:, 2] > 0,
        predicted[:, 1],
        true[:, 1],
    )


def _without_classes(table: InstanceTable) -> InstanceTable:
    """Gives every instance and object the one category 1."""
    return InstanceTable(
        table.iou,
        table.scores,
        table.predicted_px,
        table.true_px,
        table.crowd,
        np.ones_like(table.predicted_category),
        np.ones_like(table.true_category),
    )


def _real(bits: Ids) -> Reals:
    return np.ascontiguousarray(bits).view(np.float64)
