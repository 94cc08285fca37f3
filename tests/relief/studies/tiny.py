"""A Cityscapes tree of a few small images, and labels of it that are nearly right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from relief.formats.label_png import write_png
from relief.formats.label_store import write_manifest, write_panoptic, write_semantic
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import Manifest

SIZE = (48, 96)
KEYS = ("bonn/bonn_000000_000001", "ulm/ulm_000000_000002", "ulm/ulm_000001_000003")
# Clusters 0 road, 1 and 2 building, 3 sky, 4 and 5 car (things), 6 person (thing)
THING_CLUSTERS = (4, 5, 6)
CLASS_OF_CLUSTER = (0, 2, 2, 10, 13, 13, 11)


def scene(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """instanceIds, clusters, instances and depth of one image."""
    random = np.random.default_rng(index)
    ids = np.full(SIZE, 23, np.int64)
    ids[12:30] = 11
    ids[30:] = 7
    clusters = np.full(SIZE, 3, np.int64)
    clusters[12:30] = 1
    clusters[12:30, 40:] = 2
    clusters[30:] = 0
    depth = np.full(SIZE, 0.9, np.float32)
    depth[30:] = np.linspace(0.6, 0.1, 18)[:, None]
    instances = np.zeros(SIZE, np.int64)
    left = 4
    for number in range(4):
        width = int(random.integers(12, 20))
        box = (slice(22, 40), slice(left, left + width))
        ids[box] = 26000 + number
        clusters[box] = 4 + number % 2
        depth[box] = 0.15 + 0.15 * number
        own = (slice(22, 40), slice(left, left + width - number))
        instances[own] = number + 1
        left += width + (2 if number % 2 else 0)
    ids[26:38, 88:93] = 24005
    clusters[26:38, 88:92] = 6
    instances[26:38, 88:92] = 5
    depth[26:38, 88:93] = 0.3
    ids[40:44, 60:80] = 26  # cars without single objects
    clusters[40:44, 60:80] = 4
    ids[44:, :10] = 1  # ego vehicle: void
    return ids, clusters, instances, depth


def draw_tree(root: Path) -> Path:
    """ROOT/gtFine, leftImg8bit and depth, split val."""
    for index, key in enumerate(KEYS):
        ids, _, _, depth = scene(index)
        base = root / "gtFine" / "val" / key
        base.parent.mkdir(parents=True, exist_ok=True)
        write_png(base.with_name(base.name + "_gtFine_instanceIds.png"), ids.astype(np.uint16))
        label_ids = np.where(ids >= 1000, ids // 1000, ids).astype(np.uint8)
        write_png(base.with_name(base.name + "_gtFine_labelIds.png"), label_ids)
        image = root / "leftImg8bit" / "val" / f"{key}_leftImg8bit.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        write_png(image, np.repeat(label_ids[..., None] * 7, 3, -1).astype(np.uint8))
        path = root / "depth" / "val" / f"{key}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, depth)
    return root


def draw_store(out: Path, keys: tuple[str, ...] = KEYS, k: int = 7) -> Path:
    """A label store of those images."""
    manifest = Manifest(
        k=k,
        thing_ids=THING_CLUSTERS,
        groups=(-1, -1, -1, -1, 0, 0, 1, *[-1] * (k - 7)),
        images=dict.fromkeys(keys, "labelled"),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(out, manifest)
    for key in keys:
        _, clusters, instances, _ = scene(KEYS.index(key))
        pairs = torch.from_numpy(np.stack((clusters, instances), -1))
        write_semantic(out, key, pairs[..., 0], k)
        write_panoptic(out, key, pairs, thing_mask(THING_CLUSTERS, k))
    return out
