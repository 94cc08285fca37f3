"""The images of a sweep: decoded once, cut once for each threshold, kept as tables on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from relief.formats.reader import path_of_key, refuse_other_shape
from relief.metrics.panoptic_statistics import Ids
from relief.ops.resize import resize_nearest
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import Partition
from relief.schema.errors import reason_of
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import VOID
from relief.schema.parts import Splitter
from relief.splitters.area_filtered import AreaFilteredSplitter
from relief.studies.sweeps.settings import Cut
from relief.studies.sweeps.split_tables import (
    Box,
    Comparison,
    CutTable,
    Map,
    compare,
    cut_table,
)
from relief.studies.sweeps.sweep_image import SweepImage
from relief.studies.sweeps.table_cache import (
    ImageTables,
    SweepWork,
    inputs_of,
    load_tables,
    save_tables,
)


def image_tables(works: Sequence[SweepWork], key: str) -> list[ImageTables | str | None]:
    """The tables of an image for each source, from the cache or made now.

    Returns:
        For each source its tables; the reason in a line where something cannot be read; `None`
        where the source does not have the image.
    """
    image = SweepImage(works[0].shared, key)
    return [_of_source(work, image) if key in set(work.labels.keys) else None for work in works]


def _of_source(work: SweepWork, image: SweepImage) -> ImageTables | str:
    path = None if work.cache is None else path_of_key(work.cache, image.key, ".npz")
    try:
        inputs = "" if path is None else inputs_of(work, image)
        cached = None if path is None else load_tables(path, work, inputs)
        if cached is not None:
            return cached
        tables = make_tables(work, image)
    except Exception as error:
        return reason_of(error, image.key)
    if path is not None:
        save_tables(path, tables, work, inputs)
    return tables


def make_tables(work: SweepWork, image: SweepImage) -> ImageTables:
    """Reads an image's labels and cuts its things.

    Raises:
        ReadError: A file is missing or cannot be read.
    """
    semantic = work.labels.semantic(image.key)
    size = scaled_size((semantic.shape[0], semantic.shape[1]), work.shared.split_short_side_px)
    clusters = resize_nearest(semantic, size).numpy()
    regions = _looked_up(work.region_of_cluster, 0, clusters)
    categories = _looked_up(work.category_of_cluster, VOID, clusters)
    true_ids, true_pairs = image.target
    refuse_other_shape(image.key, true_ids.shape, semantic.shape, "ground truth")
    by_size: dict[tuple[int, int], Comparison] = {}
    for target_size in dict.fromkeys(image.target_sizes.values()):
        small_ids = resize_nearest(true_ids, target_size).numpy()
        nearest = None if target_size == size else _nearest(size, target_size)
        by_size[target_size] = compare(categories, regions, small_ids, true_pairs, nearest)
    edges = np.flatnonzero(Box.around(regions).of(image.edges(size)))
    num_regions = int(work.region_of_cluster.max(initial=0))
    things = _Things(image, regions, num_regions, Box.around(regions))
    tables: dict[tuple[tuple[int, int], Cut], CutTable] = {}
    for cut, splitter in work.cuts.items():
        parts = _parted(splitter, cut.depth, things)
        for target_size, comparison in by_size.items():
            tables[target_size, cut] = cut_table(parts, comparison, edges)
    sizes = image.target_sizes
    return ImageTables(
        {side: (by_size[sizes[side]].pairs, by_size[sizes[side]].stuff) for side in sizes},
        {(side, cut): tables[sizes[side], cut] for side in sizes for cut in work.cuts},
    )


@dataclass(frozen=True)
class _Things:
    """The thing regions (h, w) of an image, and the box around them."""

    image: SweepImage
    regions: Map
    num_regions: int
    box: Box

    @cached_property
    def inside(self) -> Map:
        return np.ascontiguousarray(self.box.of(self.regions))


def _parted(splitter: Splitter, depth: str, things: _Things) -> Partition:
    """The parts inside the box; the one place where a sweep asks a splitter."""
    image, regions, box = things.image, things.regions, things.box
    if isinstance(splitter, AreaFilteredSplitter):
        size = (regions.shape[0], regions.shape[1])

        def edges(
            sigma: float, threshold: float, sharpening: ToggleSharpening | None = None
        ) -> NDArray[np.bool_]:
            gradient = image.gradient(depth, sigma, size, sharpening)
            return np.asarray(box.of(gradient) > threshold)

        return splitter.partition(things.inside, edges, max(splitter.min_area_px, 1))
    observation = image.observation(regions, things.num_regions, splitter, depth)
    instance = splitter.split(observation).instance[0].cpu().numpy()
    return Partition.of(box.of(instance), things.inside)


def _looked_up(table: Ids, beyond: int, ids: Ids) -> Ids:
    """Values of ids, `beyond` for -1, in the smallest type that holds them."""
    values = np.append(table, beyond)
    smallest = np.result_type(np.min_scalar_type(values.max()), np.min_scalar_type(values.min()))
    return np.asarray(values.astype(smallest).take(ids))


def _nearest(small: tuple[int, int], large: tuple[int, int]) -> Ids:
    """(H, W) flat index of the pixel of the small map under each pixel of the large one."""
    flat = torch.arange(small[0] * small[1]).reshape(small)
    return np.asarray(resize_nearest(flat, large).numpy())
