"""Independent judges of panoptic quality, fed the maps they are defined on."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from panopticapi import evaluation as panopticapi
from PIL import Image

# The judge is installed without its dependencies; it imports this one for 3D boxes only.
sys.modules.setdefault("pyquaternion", types.SimpleNamespace(Quaternion=None))
cityscapes = importlib.import_module("cityscapesscripts.evaluation.evalPanopticSemanticLabeling")

THINGS, STUFFS = (2, 3), (0, 1)


def maps(max_category: int = 3, max_instance: int = 2, side: int = 6) -> st.SearchStrategy[Any]:
    """(prediction, target) of small blocky maps: void -1, (thing, 0), touching and equal sizes."""
    shape = st.tuples(st.integers(1, side), st.integers(1, side))
    return shape.flatmap(
        lambda size: st.tuples(
            *[
                arrays.arrays(
                    np.int64,
                    (*size, 2),
                    elements=st.integers(-1, max(max_category, max_instance)),
                    fill=st.nothing(),
                ).map(lambda pairs: _clip(pairs, max_category, max_instance))
            ]
            * 2
        )
    )


def _clip(pairs: np.ndarray, max_category: int, max_instance: int) -> np.ndarray:
    category = np.clip(pairs[..., 0], -1, max_category)
    instance = np.clip(pairs[..., 1], 0, max_instance)
    pairs = np.stack((category, np.where(category < 0, 0, instance)), axis=-1)
    return np.repeat(np.repeat(pairs, 2, axis=0), 2, axis=1)


def coco_judges(preds: list[np.ndarray], targets: list[np.ndarray], folder: Path) -> list[Any]:
    """{class id: (iou sum, tp, fp, fn)} by panopticapi and by cityscapesscripts."""
    categories = {c + 1: {"id": c + 1, "isthing": int(c in THINGS)} for c in (*THINGS, *STUFFS)}
    annotations = []
    for index, (pred, target) in enumerate(zip(preds, targets, strict=True)):
        predicted = _coco_file(pred, folder / f"pred_{index}.png", is_target=False)
        true = _coco_file(target, folder / f"true_{index}.png", is_target=True)
        annotations.append((true, predicted))
    verdicts = []
    for judge in (panopticapi, cityscapes):
        with contextlib.redirect_stdout(io.StringIO()):
            stat = judge.pq_compute_single_core(0, annotations, folder, folder, categories)
        per_class = stat.pq_per_cat
        verdicts.append({c: _counts(per_class[c + 1]) for c in (*THINGS, *STUFFS)})
    return verdicts


def _counts(stat: Any) -> tuple[float, int, int, int]:
    return stat.iou, stat.tp, stat.fp, stat.fn


def _coco_file(pairs: np.ndarray, path: Path, *, is_target: bool) -> dict[str, Any]:
    category, instance = pairs[..., 0], pairs[..., 1]
    known = np.isin(category, (*THINGS, *STUFFS))
    is_thing = np.isin(category, THINGS)
    if not is_target:
        known &= ~(is_thing & (instance == 0))
    ids = np.where(known, (category + 1) * 100 + np.where(is_thing, instance, 0), 0)
    Image.fromarray(np.stack((ids % 256, ids // 256, 0 * ids), -1).astype(np.uint8)).save(path)
    segments = [
        {
            "id": int(i),
            "category_id": int(i) // 100,
            "area": int((ids == i).sum()),
            "iscrowd": int(is_target and int(i) // 100 - 1 in THINGS and i % 100 == 0),
        }
        for i in np.unique(ids[ids > 0])
    ]
    return {"file_name": path.name, "image_id": path.stem, "segments_info": segments}


def seed_judge(
    preds: list[np.ndarray], targets: list[np.ndarray]
) -> dict[int, tuple[float, int, int, int]]:
    """Masks, one segment after the other: no void, no groups, small segments left out."""
    totals = {c: [0.0, 0, 0, 0] for c in (*THINGS, *STUFFS)}
    for pred, target in zip(preds, targets, strict=True):
        for c in totals:
            predicted, true = _seed_masks(pred, c), _seed_masks(target, c)
            left = list(range(len(predicted)))
            for mask in true:
                ious = [(mask & predicted[i]).sum() / (mask | predicted[i]).sum() for i in left]
                hits = [n for n, iou in enumerate(ious) if iou > 0.5]
                if hits:
                    totals[c][0] += ious[hits[0]]
                    totals[c][1] += 1
                    del left[hits[0]]
                else:
                    totals[c][3] += 1
            totals[c][2] += len(left)
    return {c: tuple(values) for c, values in totals.items()}


def _seed_masks(pairs: np.ndarray, c: int) -> list[np.ndarray]:
    region = pairs[..., 0] == c
    if c in STUFFS:
        masks, least = [region], 64
    else:
        instances = np.unique(pairs[..., 1][region])
        masks, least = [region & (pairs[..., 1] == i) for i in instances if i > 0], 10
    return [mask for mask in masks if mask.sum() >= least]
