"""Pixels of labels by how sure they are: figures of the surest share of them."""

from __future__ import annotations

import numpy as np
import torch

from relief.formats.label_store import LabelStore
from relief.metrics.panoptic_statistics import Ids
from relief.metrics.risk_coverage import RiskCoverage
from relief.metrics.scoring import PERCENT, Assignment, Scorer
from relief.metrics.semantic_iou import semantic_averages
from relief.ops.panoptic import segment_table
from relief.ops.resize import resize_nearest
from relief.schema.label_spaces import VOID
from relief.schema.sources import ImageSource
from relief.studies.confidence.sure_objects import LEVELS

_POINTS = 100_000  # of a curve over pixels: right and wrong ones in the same shares


def pixel_table(store: LabelStore, truth: ImageSource, key: str) -> Ids:
    """Counts the pixels of an image by category before splitting, confidence and true class.

    Returns:
        (N, 5) as `relief.ops.panoptic.segment_table`: category, confidence in steps of 1/255, true
        class, 0, pixels.
    """
    confidence, target = store.confidence(key), truth.target(key)
    assert confidence is not None  # the manifest says so
    level = (confidence * LEVELS).round().long()
    pairs = torch.stack((store.semantic(key), level))
    size = (target.shape[0], target.shape[1])
    predicted = resize_nearest(pairs, size).permute(1, 2, 0)
    true = torch.stack((target[..., 0], torch.zeros_like(target[..., 0])), dim=-1)
    return segment_table(predicted, true).numpy()


def joined(tables: list[Ids]) -> Ids:
    """Adds the pixels of several tables, so that thousands of images take no more than one."""
    rows = np.concatenate(tables)
    cells, which = np.unique(rows[:, :4], axis=0, return_inverse=True)
    pixels = np.bincount(which.reshape(-1), rows[:, 4], minlength=len(cells))
    return np.column_stack((cells, pixels.astype(np.int64)))


def error_share(table: Ids, fitted: Assignment) -> float:
    """Returns the share of pixels whose class is wrong, true void left out; nan without any."""
    known = table[table[:, 2] != VOID]
    return float(1 - known[_is_right(known, fitted), 4].sum() / max(known[:, 4].sum(), 1))


def pixel_curve(table: Ids, fitted: Assignment) -> RiskCoverage:
    """Orders pixels by confidence, true void left out."""
    known = table[table[:, 2] != VOID]
    cell = 2 * known[:, 1] + ~_is_right(known, fitted)
    pixels = np.bincount(cell, known[:, 4], minlength=2 * (LEVELS + 1))
    count = np.rint(pixels * (_POINTS / max(pixels.sum(), 1))).astype(np.int64)
    number = np.arange(len(count))
    wrong = (number % 2).astype(np.float64)
    return RiskCoverage.of(np.repeat(number // 2 / LEVELS, count), np.repeat(wrong, count))


def miou_of_surest(table: Ids, share: float, scorer: Scorer, fitted: Assignment) -> float:
    """Computes mIoU, in percent, of the surest share of the pixels; others are no pixels at all.

    Pixels that are as sure as the last one are kept too.
    """
    known = table[table[:, 2] != VOID]
    by_level = np.bincount(known[:, 1], known[:, 4], minlength=LEVELS + 1)
    kept = by_level[::-1].cumsum()[::-1]  # pixels at least as sure as each level
    level = int(np.flatnonzero(kept >= share * kept[0]).max(initial=0))
    confusion = scorer.confusion(scorer.counts(known[known[:, 1] >= level]), fitted)
    return PERCENT * semantic_averages(confusion)["miou"]


def _is_right(known: Ids, fitted: Assignment) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    category = known[:, 0].clip(-1, len(fitted.semantic))  # beyond: void
    return np.append(fitted.semantic, [VOID, VOID])[category] == known[:, 2]
