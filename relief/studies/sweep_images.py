"""The images of a sweep: decoded once, cut once for each threshold, kept as tables on disk."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relief.formats.atomic import write_bytes
from relief.formats.cityscapes import CityscapesTree
from relief.formats.depth_files import FolderDepth, check_aspect
from relief.formats.reader import LabelReader, path_of_key
from relief.metrics.panoptic_statistics import Ids
from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.panoptic import compact_ids
from relief.ops.panoptic_map import resize_depth
from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import INSTANCE_DIVISOR, VOID, LabelSpace
from relief.studies.split_tables import (
    CONNECTED,
    Comparison,
    Cut,
    CutTable,
    compare,
    cut_parts,
    cut_table,
)

_FORMAT = 1
_MAX_INSTANCE_ID = 34 * INSTANCE_DIVISOR
CutName = tuple[str, Cut]  # depth source (empty for connected components) and cut


@dataclass(frozen=True)
class SweepWork:
    """What is done to each image of one source; picklable, so that processes can share it.

    Attributes:
        labels: The labels.
        region_of_cluster: (K,) 0 = no thing, else what is split together.
        category_of_cluster: (K,) what the tables call it: the cluster, or its class.
        truth: Ground truth.
        space: Its classes.
        depths: Depth readers by name.
        cuts: All cuts, with the depth each looks at.
        split_short_side_px: Where splitting runs.
        short_sides_px: Sizes of comparison; 0 = ground-truth size.
        cache: Folder for the tables; `None` keeps none.
        fingerprint: Of everything the tables depend on but the image's files.
    """

    labels: LabelReader
    region_of_cluster: Ids
    category_of_cluster: Ids
    truth: CityscapesTree
    space: LabelSpace
    depths: dict[str, FolderDepth]
    cuts: tuple[CutName, ...]
    split_short_side_px: int
    short_sides_px: tuple[int, ...]
    cache: Path | None
    fingerprint: str


@dataclass(frozen=True)
class ImageTables:
    """All that a sweep keeps of an image.

    Attributes:
        comparisons: (pairs (J, 3), stuff (S, 4)) by short side, as in `Comparison`.
        cuts: Tables by short side and cut.
    """

    comparisons: dict[int, tuple[Ids, Ids]]
    cuts: dict[tuple[int, CutName], CutTable]


def fingerprint(**determinants: Any) -> str:
    """A short hash of plain values."""
    text = json.dumps(determinants, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def image_tables(work: SweepWork, key: str) -> ImageTables | str:
    """The tables of an image, from the cache or made now; the reason in a line if unreadable."""
    path = None if work.cache is None else path_of_key(work.cache, key, ".npz")
    if path is not None:
        cached = _load(path, work)
        if cached is not None:
            return cached
    try:
        tables = make_tables(work, key)
    except ReadError as error:
        return str(error)
    if path is not None:
        write_bytes(path, _dump(tables, work))
    return tables


def make_tables(work: SweepWork, key: str) -> ImageTables:
    """Reads an image's labels, depth and ground truth and cuts its things.

    Raises:
        ReadError: A file is missing or cannot be read.
    """
    instance_ids = work.truth.ground_truth.instance_ids(key)
    true_ids, found = compact_ids(instance_ids.clamp(0, _MAX_INSTANCE_ID), _MAX_INSTANCE_ID + 1)
    true_pairs = work.space.target(found).numpy()
    own_size = (instance_ids.shape[0], instance_ids.shape[1])
    semantic = work.labels.semantic(key)
    size = scaled_size((semantic.shape[0], semantic.shape[1]), work.split_short_side_px)
    clusters = resize_nearest(semantic, size).numpy()
    regions = np.append(work.region_of_cluster, 0)[clusters]
    regions = regions.astype(np.uint8 if work.region_of_cluster.max(initial=0) < 256 else np.int32)
    categories = np.append(work.category_of_cluster, VOID)[clusters]
    comparisons: dict[int, Comparison] = {}
    for side in work.short_sides_px:
        target_size = _shrunk(own_size, side)
        small_ids = resize_nearest(true_ids, target_size).numpy()
        nearest = None if target_size == size else _nearest(size, target_size)
        comparisons[side] = compare(categories, regions, small_ids, true_pairs, nearest)
    cuts: dict[tuple[int, CutName], CutTable] = {}
    for depth in dict.fromkeys(name for name, _ in work.cuts):
        own = tuple(cut for name, cut in work.cuts if name == depth)
        gradients = _gradients(work, key, depth, own, size)
        for cut, parts in cut_parts(regions, own, gradients).items():
            for side, comparison in comparisons.items():
                cuts[side, (depth, cut)] = cut_table(parts, comparison)
    return ImageTables({side: (c.pairs, c.stuff) for side, c in comparisons.items()}, cuts)


def _gradients(
    work: SweepWork, key: str, depth: str, cuts: Sequence[Cut], size: tuple[int, int]
) -> dict[float, Any]:
    """One gradient for each sigma; none is needed for connected components."""
    sigmas = {cut.sigma for cut in cuts if cut != CONNECTED}
    if not sigmas:
        return {}
    reader = work.depths[depth]
    path = reader.find(work.truth.split, key)
    if path is None:
        msg = f"no depth for {key}: looked in {reader.root}. Make it or leave the image out."
        raise ReadError(msg)
    values = reader.read(path)[None]
    check_aspect(values, size, path)
    at_size = resize_depth(values, size)[0, 0].numpy()
    return {sigma: gradient_magnitude_cpu(at_size, sigma) for sigma in sigmas}


def _shrunk(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    if short_side_px <= 0 or min(size) <= short_side_px:
        return size
    return scaled_size(size, short_side_px)


def _nearest(small: tuple[int, int], large: tuple[int, int]) -> Ids:
    """(H, W) flat index of the pixel of the small map under each pixel of the large one."""
    flat = torch.arange(small[0] * small[1]).reshape(small)
    return np.asarray(resize_nearest(flat, large).numpy())


def _dump(tables: ImageTables, work: SweepWork) -> bytes:
    arrays: dict[str, Any] = {"fingerprint": np.array(work.fingerprint)}
    for side, (pairs, stuff) in tables.comparisons.items():
        arrays[f"{side}/pairs"], arrays[f"{side}/stuff"] = pairs, stuff
        for index, name in enumerate(work.cuts):
            table = tables.cuts[side, name]
            arrays[f"{side}/{index}/rows"] = table.rows.astype(np.int32)
            arrays[f"{side}/{index}/areas"] = table.core_area_px.astype(np.int32)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _load(path: Path, work: SweepWork) -> ImageTables | None:
    """What `_dump` wrote; `None` where there is nothing, or of another configuration."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["fingerprint"]) != work.fingerprint:
                return None
            arrays = {name: file[name].astype(np.int64) for name in file.files[1:]}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    sides = work.short_sides_px
    return ImageTables(
        {side: (arrays[f"{side}/pairs"], arrays[f"{side}/stuff"]) for side in sides},
        {
            (side, name): CutTable(arrays[f"{side}/{i}/rows"], arrays[f"{side}/{i}/areas"])
            for side in sides
            for i, name in enumerate(work.cuts)
        },
    )


def determinants(work: SweepWork) -> dict[str, Any]:
    """What the tables depend on, for `fingerprint`."""
    return {
        "format": _FORMAT,
        "regions": work.region_of_cluster.tolist(),
        "categories": work.category_of_cluster.tolist(),
        "space": work.space.name,
        "depths": {name: reader.description for name, reader in work.depths.items()},
        "cuts": [(name, asdict(cut)) for name, cut in work.cuts],
        "split_short_side_px": work.split_short_side_px,
        "short_sides_px": work.short_sides_px,
    }
