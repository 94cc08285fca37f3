"""Labels to export: a thing in two parts, one with a hole, beside another; how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.exports.exporter import ExportedLabels
from relief.formats.label_store import (
    LabelStore,
    write_confidence,
    write_manifest,
    write_panoptic,
    write_semantic,
)
from relief.schema.categories import cluster_categories
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import Manifest

SIZE = (20, 30)
KEYS = ("a/one", "two")
FILE_NAMES = {"a/one": "a/one.jpg", "two": "two.png"}
SCORES = {(1, 1): 0.4, (2, 2): 0.8}
SUPERVISION = ("features taught by labels",)


def panoptic_of(key: str) -> torch.Tensor:
    """Returns stuff 0 and 3, thing 1 in two parts with a hole, thing 2; some of it no object."""
    panoptic = np.zeros((*SIZE, 2), np.int64)
    panoptic[:5, :, 0] = 3
    panoptic[6:14, 4:12] = (1, 1)
    panoptic[8:11, 6:9] = (0, 0)
    panoptic[6:9, 16:20] = (1, 1)
    panoptic[15:, 20:28] = (2, 2)
    if key == KEYS[0]:
        panoptic[16:18, :3] = (1, 0)  # without an instance
        panoptic[19:, 10:] = (-1, 0)
    return torch.from_numpy(panoptic)


def draw_labels(root: Path, keys: Sequence[str] = KEYS) -> ExportedLabels:
    """Draws the store and its photographs below a folder."""
    out = root / "store"
    images = dict.fromkeys(keys, "labelled")
    manifest = Manifest(k=4, thing_ids=(1, 2), groups=(-1, 0, 1, -1), images=images)
    manifest = Manifest(**{**vars(manifest), "confidence": "drawn", "supervision": SUPERVISION})
    write_manifest(out, manifest)
    for key in keys:
        panoptic = panoptic_of(key)
        sure = torch.ones(SIZE)
        for (category, instance), score in SCORES.items():
            sure[(panoptic == torch.tensor((category, instance))).all(-1)] = score
        write_semantic(out, key, panoptic[..., 0], 4)
        write_panoptic(out, key, panoptic, thing_mask((1, 2), 4))
        write_confidence(out, key, sure)
        photograph = root / "photographs" / FILE_NAMES[key]
        photograph.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], (90, 80, 70)).save(photograph)
    store = LabelStore(out)
    return ExportedLabels(
        store,
        cluster_categories(4, (1, 2)),
        store.manifest,
        confidence=store.confidence,
        file_names=FILE_NAMES,
        supervision=SUPERVISION,
        photographs=root / "photographs",
    )


def draw_with_photographs(root: Path) -> Path:
    """Draws store and photographs, their names in panoptic.json; returns the store."""
    exported = draw_labels(root)
    out = root / "store"
    write_panoptic_json(out, KEYS, exported.categories, FILE_NAMES)
    return out
