"""The worth of the confidence of labels: figures of what is kept when the least sure go first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from relief.formats.label_store import LabelStore
from relief.metrics.panoptic_statistics import Ids
from relief.metrics.protocols import panoptic_protocol
from relief.metrics.risk_coverage import Reals, RiskCoverage, surest
from relief.metrics.scoring import PERCENT, Assignment, JointRows, Scorer
from relief.ops.matching import assignment_rule
from relief.ops.panoptic import segment_table
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.sources.cityscapes import CityscapesSource
from relief.studies.scoring.scored_images import ScoredImages, read_scored_images
from relief.studies.study import StoreRow, StoreStudy, StudyResult, StudyTable

COVERAGES = (1.0, 0.9, 0.7, 0.5)
_LEVELS = 255
_MATCH = 0.5
_COLUMNS = ("labels", *(f"{PERCENT * share:.0f} %" for share in COVERAGES))
_AREAS = ("labels", "area", "random", "oracle", "gain")
_NOTE = "Clusters meet classes by majority, on all images, whatever is kept. Protocol panopticapi."


@dataclass(frozen=True)
class SureObjects:
    """The objects of the labels of one image.

    Attributes:
        ids: (N, 2) category and instance.
        confidence: (N,) mean over their pixels.
        image_confidence: Mean over the image.
    """

    ids: Ids
    confidence: Reals
    image_confidence: float

    @classmethod
    def of(cls, panoptic: Tensor, confidence: Tensor) -> SureObjects:
        """Takes the mean confidence of each object.

        Args:
            panoptic: (H, W, 2) category and instance.
            confidence: (H, W) float32 in steps of 1/255.
        """
        level = (confidence * _LEVELS).round().long()
        table = segment_table(panoptic, level[..., None].expand_as(panoptic)).numpy()
        table = table[table[:, 1] > 0]
        ids, group = np.unique(table[:, :2], axis=0, return_inverse=True)
        group = group.reshape(-1)
        pixels = np.bincount(group, table[:, 4], minlength=len(ids))
        total = np.bincount(group, table[:, 4] * table[:, 2], minlength=len(ids))
        mean = total / np.maximum(pixels, 1) / _LEVELS
        return cls(ids, np.asarray(mean, np.float64), float(confidence.mean()))


class ConfidenceStudy(StoreStudy):
    """PQ and mIoU of the surest images, PQ and precision of the surest objects.

    Args:
        rows: The labels that are measured.
        root: Cityscapes folder with gtFine.
        split: Split that is measured.
    """

    rows: list[StoreRow]

    def __init__(self, rows: list[StoreRow], root: str, split: str = "val") -> None:
        super().__init__(rows, root, split)

    def row_of(self, labels: str) -> StoreRow:
        """Returns the row of a store that a request names."""
        return StoreRow(labels)

    def run(self) -> StudyResult:
        """Measures every store.

        Raises:
            UsageError: A store has no confidence, or no ground truth.
            ReadError: Nothing of a store can be read.
        """
        start = time.perf_counter()
        runs, failures = [], []
        for out in [Path(row.labels) for row in self.rows]:
            run, failed = self._measured(out)
            runs.append(run)
            failures += [f"{out.name}: {reason}" for reason in failed]
        images = runs[0]["images"] if runs else 0
        tables = [
            StudyTable(f"{title}, {images} images, in percent", _COLUMNS, _rows(runs, name))
            for name, title in (
                ("image_pq", "PQ of the surest images"),
                ("image_miou", "mIoU of the surest images"),
                ("object_pq", "PQ with the surest objects"),
                ("object_precision", "Precision of the surest objects"),
            )
        ]
        tables.append(
            StudyTable(
                "Area under the risk-coverage curve of objects (least is best)",
                _AREAS,
                [[run["labels"], *(run[f"objects/{name}"] for name in _AREAS[1:])] for run in runs],
            )
        )
        seconds = time.perf_counter() - start
        return StudyResult(tables, runs, [_NOTE], seconds=seconds, failures=failures)

    def _measured(self, out: Path) -> tuple[dict[str, Any], list[str]]:
        truth = CityscapesSource(Path(self.root), self.split)
        store = LabelStore(out)
        if store.manifest.confidence is None:
            msg = (
                f"the labels do not say how sure they are: {out}. Make them with a splitter that "
                "does, such as relief.splitters.stability.StabilitySplitter."
            )
            raise UsageError(msg)
        images = read_scored_images(store, truth)
        sure = [_sure(store, key) for key in images.keys]
        scorer = Scorer.of(truth.label_space, store.num_categories, store.thing_ids or ())
        fitted = scorer.fit(assignment_rule("majority"), images.counts)
        run = {"labels": out.name, "images": len(images.keys)}
        run |= _of_images(images, sure, scorer, fitted) | _of_objects(images, sure, scorer, fitted)
        return run, [failure["reason"] for failure in images.failures]


def _sure(store: LabelStore, key: str) -> SureObjects:
    confidence = store.confidence(key)
    assert confidence is not None  # the manifest says so
    return SureObjects.of(store.panoptic(key), confidence)


def _rows(runs: Sequence[dict[str, Any]], name: str) -> list[list[Any]]:
    return [[run["labels"], *(run[f"{name}/{share}"] for share in COVERAGES)] for run in runs]


def _figures(tables: Sequence[Ids], scorer: Scorer, fitted: Assignment) -> tuple[float, float]:
    """PQ and mIoU of panoptic maps, in percent."""
    rows = JointRows.of(tables)
    confusion = scorer.confusion(scorer.counts(rows.table), fitted)
    row = scorer.figures(rows, confusion, fitted, panoptic_protocol("panopticapi")).row
    return PERCENT * row.pq, PERCENT * row.miou


def _of_images(
    images: ScoredImages, sure: Sequence[SureObjects], scorer: Scorer, fitted: Assignment
) -> dict[str, float]:
    confidence = np.array([one.image_confidence for one in sure])
    found: dict[str, float] = {}
    for share in COVERAGES:
        kept = [images.tables[0][index] for index in surest(confidence, share)]
        pq, miou = _figures(kept, scorer, fitted)
        found |= {f"image_pq/{share}": pq, f"image_miou/{share}": miou}
    return found


def _of_objects(
    images: ScoredImages, sure: Sequence[SureObjects], scorer: Scorer, fitted: Assignment
) -> dict[str, float]:
    confidence = np.concatenate([one.confidence for one in sure])
    right = np.concatenate(
        [
            right_objects(table, one.ids, fitted.panoptic)
            for table, one in zip(images.tables[0], sure, strict=True)
        ]
    )
    found: dict[str, float] = {"objects": len(right)}
    if not len(right):
        names = ("area", "random", "oracle", "gain")
        return found | {f"objects/{name}": float("nan") for name in names} | _no_objects()
    curve = RiskCoverage.of(confidence, 1.0 - right)
    found |= {f"objects/{n}": getattr(curve, n) for n in ("area", "random", "oracle", "gain")}
    ends = np.cumsum([len(one.ids) for one in sure])
    for share in COVERAGES:
        kept = np.zeros(len(right), np.bool_)
        kept[surest(confidence, share)] = True
        tables = [
            without_objects(table, one.ids[~of_image])
            for table, one, of_image in zip(
                images.tables[0], sure, np.split(kept, ends[:-1]), strict=True
            )
        ]
        found[f"object_pq/{share}"] = _figures(tables, scorer, fitted)[0]
        found[f"object_precision/{share}"] = PERCENT * (1 - curve.at(share))
    return found


def _no_objects() -> dict[str, float]:
    names = ("object_pq", "object_precision")
    return {f"{name}/{share}": float("nan") for name in names for share in COVERAGES}


def right_objects(table: Ids, ids: Ids, class_of_category: Ids) -> Reals:
    """Tells which objects match a true one: the same class, IoU above 0.5, true void left out.

    Args:
        table: (N, 5) of one image, as `relief.ops.panoptic.segment_table`.
        ids: (M, 2) category and instance of the objects.
        class_of_category: (K,) class ids.

    Returns:
        (M,) 1 for a match, else 0.
    """
    right = np.zeros(len(ids))
    for index, (category, instance) in enumerate(ids):
        own = (table[:, 0] == category) & (table[:, 1] == instance)
        known = own & (table[:, 2] != VOID)
        area_px = table[known, 4].sum()
        for _, _, true_class, true_instance, shared_px in table[known]:
            if true_class != class_of_category[category] or true_instance <= 0:
                continue
            of_true = (table[:, 2] == true_class) & (table[:, 3] == true_instance)
            union_px = area_px + table[of_true, 4].sum() - shared_px
            right[index] = max(right[index], float(shared_px > _MATCH * union_px))
    return right


def without_objects(table: Ids, ids: Ids) -> Ids:
    """Returns the table with some objects dropped: their pixels are things without an instance.

    Args:
        table: (N, 5) of one image.
        ids: (M, 2) category and instance.
    """
    kept = table.copy()
    for category, instance in ids:
        kept[(table[:, 0] == category) & (table[:, 1] == instance), 1] = 0
    return kept
