"""The worth of the confidence of labels: figures of what is kept when the least sure go first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from relief.formats.label_store import LabelStore
from relief.metrics.panoptic_statistics import Ids
from relief.metrics.protocols import panoptic_protocol
from relief.metrics.risk_coverage import Reals, RiskCoverage, kept_count, surest
from relief.metrics.scoring import PERCENT, Assignment, JointRows, Scorer
from relief.ops.matching import assignment_rule
from relief.schema.errors import UsageError
from relief.schema.sources import ImageSource
from relief.sources.cityscapes import CityscapesSource
from relief.studies.confidence.confidence_tables import COVERAGES, LEAST, confidence_tables
from relief.studies.confidence.sure_objects import (
    SureObjects,
    calibration,
    mean_ranks,
    right_objects,
    true_objects,
    without_objects,
)
from relief.studies.confidence.sure_pixels import (
    error_share,
    joined,
    miou_of_surest,
    pixel_curve,
    pixel_table,
)
from relief.studies.scoring.scored_images import ScoredImages, read_scored_images
from relief.studies.study import StoreRow, StoreStudy, StudyResult

_NOTE = "Clusters meet classes by majority, on all images, whatever is kept. Protocol panopticapi."


@dataclass(frozen=True)
class SureRow(StoreRow):
    """The labels of one row.

    Args:
        name: What says how sure they are; rows of one name, such as seeds, are averaged. The
            folder's name unless given.
        ranked_with: Stores of the same labels that say by something else how sure they are: objects
            are ordered by the mean of their ranks, and nothing is said of pixels and images.
    """

    name: str = ""
    ranked_with: Sequence[str] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        """The name, or that of the folder."""
        return self.name or Path(self.labels).name


@dataclass(frozen=True)
class _Read:
    """The labels of a row with their ground truth."""

    images: ScoredImages
    scorer: Scorer
    fitted: Assignment
    objects: list[SureObjects]
    right: list[Reals]


class ConfidenceStudy(StoreStudy):
    """PQ and mIoU of the surest images, objects and pixels, and where the errors are.

    Args:
        rows: The labels that are measured.
        root: Cityscapes folder with gtFine.
        split: Split that is measured.
    """

    rows: list[SureRow]

    def __init__(self, rows: list[SureRow], root: str, split: str = "val") -> None:
        super().__init__(rows, root, split)

    def row_of(self, labels: str) -> SureRow:
        """Returns the row of a store that a request names."""
        return SureRow(labels)

    def run(self) -> StudyResult:
        """Measures every store.

        Raises:
            UsageError: A store has no confidence, or no ground truth.
            ReadError: Nothing of a store can be read.
        """
        start = time.perf_counter()
        truth = CityscapesSource(Path(self.root), self.split)
        runs: list[dict[str, Any]] = []
        scored: dict[str, list[tuple[Reals, Reals]]] = {}
        failures: list[str] = []
        for row in self.rows:
            read = _read(row, truth)
            confidence = np.concatenate([one.confidence for one in read.objects])
            scored.setdefault(row.title, []).append((confidence, np.concatenate(read.right)))
            run: dict[str, Any] = {"name": row.title, "labels": Path(row.labels).name}
            run |= {"images": len(read.images.keys)} | _of_objects(read)
            if not row.ranked_with:
                run |= _of_images(read) | _of_pixels(read, LabelStore(Path(row.labels)), truth)
            runs.append(run)
            failures += [f"{row.title}: {failure['reason']}" for failure in read.images.failures]
        return StudyResult(
            confidence_tables(runs),
            runs,
            [_NOTE],
            {name: _calibrated(pairs) for name, pairs in scored.items()},
            ("score of objects, %", "objects that are right, %"),
            time.perf_counter() - start,
            failures,
        )


def _read(row: SureRow, truth: ImageSource) -> _Read:
    stores = [_store(Path(labels)) for labels in (row.labels, *row.ranked_with)]
    store = stores[0]
    images = read_scored_images(store, truth)
    scorer = Scorer.of(truth.label_space, store.num_categories, store.thing_ids or ())
    fitted = scorer.fit(assignment_rule("majority"), images.counts)
    sure = [[_sure(one, key) for key in images.keys] for one in stores]
    objects = sure[0]
    if row.ranked_with:
        ranks = mean_ranks([np.concatenate([one.confidence for one in each]) for each in sure])
        ends = np.cumsum([len(one.ids) for one in objects])[:-1]
        parts = zip(objects, np.split(ranks, ends), strict=True)
        objects = [SureObjects(one.ids, rank, one.image_confidence) for one, rank in parts]
    pairs = zip(images.tables[0], objects, strict=True)
    right = [right_objects(table, one.ids, fitted.panoptic) for table, one in pairs]
    return _Read(images, scorer, fitted, objects, right)


def _store(out: Path) -> LabelStore:
    store = LabelStore(out)
    if store.manifest.confidence is None:
        msg = (
            f"the labels do not say how sure they are: {out}. Make them with "
            "--model.init_args.confidence configs/confidence/standing_things.yaml."
        )
        raise UsageError(msg)
    return store


def _sure(store: LabelStore, key: str) -> SureObjects:
    confidence = store.confidence(key)
    assert confidence is not None  # the manifest says so
    return SureObjects.of(store.panoptic(key), confidence)


def _figures(tables: Sequence[Ids], read: _Read) -> tuple[float, float]:
    """PQ and mIoU of panoptic maps, in percent."""
    rows = JointRows.of(tables)
    confusion = read.scorer.confusion(read.scorer.counts(rows.table), read.fitted)
    protocol = panoptic_protocol("panopticapi")
    row = read.scorer.figures(rows, confusion, read.fitted, protocol).row
    return PERCENT * row.pq, PERCENT * row.miou


def _of_images(read: _Read) -> dict[str, float]:
    """Images ordered by their mean confidence; errors of objects by how many must be wrong."""
    tables = read.images.tables[0]
    confidence = np.array([one.image_confidence for one in read.objects])
    found: dict[str, float] = {}
    for share in COVERAGES:
        pq, miou = _figures([tables[index] for index in surest(confidence, share)], read)
        found |= {f"image_pq/{share}": pq, f"image_miou/{share}": miou}
    things = read.scorer.classes.ids[read.scorer.classes.is_thing]
    wrong_and_missed = [
        len(right) - right.sum() + true_objects(table, things) - right.sum()
        for right, table in zip(read.right, tables, strict=True)
    ]
    expected = np.array([np.sum(1 - one.confidence) for one in read.objects])
    return found | _least_sure("objects", -expected, np.array(wrong_and_missed, np.float64))


def _least_sure(name: str, confidence: Reals, error: Reals) -> dict[str, float]:
    """How many times its share of the errors the least sure tenth of the images holds."""
    count = kept_count(len(error), LEAST)
    share = error.sum() * count / len(error)

    def held(order: Reals) -> float:
        return float(error[np.argsort(order, kind="stable")[:count]].sum() / max(share, 1e-12))

    return {f"tenth/{name}": held(confidence), f"tenth/{name}/oracle": held(-error)}


def _of_objects(read: _Read) -> dict[str, float]:
    confidence = np.concatenate([one.confidence for one in read.objects])
    right = np.concatenate(read.right)
    found: dict[str, float] = {"objects": len(right)}
    if not len(right):
        return found  # tables show what is missing as unknown
    curve = RiskCoverage.of(confidence, 1.0 - right)
    found |= _curve_figures("objects", curve)
    score, share_right, weight = calibration(confidence, right)
    found["objects/calibration"] = PERCENT * float((weight * np.abs(score - share_right)).sum())
    ends = np.cumsum([len(one.ids) for one in read.objects])[:-1]
    for share in COVERAGES:
        kept = np.zeros(len(right), np.bool_)
        kept[surest(confidence, share)] = True
        of_images = zip(read.images.tables[0], read.objects, np.split(kept, ends), strict=True)
        tables = [without_objects(table, one.ids[~own]) for table, one, own in of_images]
        found[f"object_pq/{share}"] = _figures(tables, read)[0]
        found[f"object_precision/{share}"] = PERCENT * (1 - curve.at(share))
    return found


def _of_pixels(read: _Read, store: LabelStore, truth: ImageSource) -> dict[str, float]:
    tables = [pixel_table(store, truth, key) for key in read.images.keys]
    together = joined(tables)
    found = _curve_figures("pixels", pixel_curve(together, read.fitted))
    for share in COVERAGES:
        miou = miou_of_surest(together, share, read.scorer, read.fitted)
        found[f"pixel_miou/{share}"] = miou
    error = np.array([error_share(table, read.fitted) for table in tables])
    confidence = np.array([one.image_confidence for one in read.objects])
    return found | _least_sure("pixels", confidence, error)


def _curve_figures(name: str, curve: RiskCoverage) -> dict[str, float]:
    names = ("area", "random", "oracle", "gain")
    return {f"{name}/{one}": PERCENT * getattr(curve, one) for one in names}


def _calibrated(pairs: Sequence[tuple[Reals, Reals]]) -> list[tuple[float, float]]:
    """Points of the objects of several runs together, in percent."""
    confidence, right = (np.concatenate(values) for values in zip(*pairs, strict=True))
    if not len(confidence):
        return []
    score, share_right, _ = calibration(confidence, right)
    return list(zip((PERCENT * score).tolist(), (PERCENT * share_right).tolist(), strict=True))
