"""The images of a sweep: decoded once, cut once for each threshold, kept as tables on disk."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.atomic import write_bytes
from relief.formats.cityscapes import CityscapesTree
from relief.formats.depth_files import FolderDepth, check_aspect
from relief.formats.images import read_image
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader, path_of_key, refuse_other_shape
from relief.metrics.panoptic_statistics import Ids
from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.depth_sharpening import ToggleSharpening
from relief.ops.panoptic import compact_ids
from relief.ops.panoptic_map import resize_depth
from relief.ops.reclaim import Partition
from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError, reason_of
from relief.schema.geometry import scaled_size, shrunk_size
from relief.schema.label_spaces import INSTANCE_DIVISOR, VOID, LabelSpace
from relief.schema.observation import DEPTH, IMAGE, Observation
from relief.schema.parts import Splitter
from relief.splitters.area_filtered import AreaFilteredSplitter
from relief.studies.sweeps.settings import Cut, source_code
from relief.studies.sweeps.split_tables import (
    Box,
    Comparison,
    CutTable,
    Map,
    compare,
    cut_table,
)

log = logging.getLogger("relief")
_FORMAT = 3
INSIDE_EDGE_THRESHOLD = 0.1
_MAX_INSTANCE_ID = 34 * INSTANCE_DIVISOR


@dataclass(frozen=True)
class SharedReading:
    """What all sources of a sweep read alike.

    Attributes:
        truth: Ground truth.
        space: Its classes.
        depths: Depth readers by name.
        split_short_side_px: Where splitting runs.
        short_sides_px: Sizes of comparison; 0 = ground-truth size.
    """

    truth: CityscapesTree
    space: LabelSpace
    depths: dict[str, FolderDepth]
    split_short_side_px: int
    short_sides_px: tuple[int, ...]


@dataclass(frozen=True)
class SweepWork:
    """What is done to each image of one source; picklable, so that processes can share it.

    Attributes:
        labels: The labels.
        region_of_cluster: (K,) 0 = no thing, else what is split together.
        category_of_cluster: (K,) what the tables call it: the cluster, or its class.
        cuts: All cuts, each with a splitter that makes it.
        shared: Ground truth and depth.
        cache: Folder for the tables; `None` keeps none.
        fingerprint: Of everything the tables depend on but the image's files.
    """

    labels: LabelReader
    region_of_cluster: Ids
    category_of_cluster: Ids
    cuts: dict[Cut, Splitter]
    shared: SharedReading
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
    cuts: dict[tuple[int, Cut], CutTable]


def fingerprint(**determinants: Any) -> str:
    """A short hash of plain values."""
    text = json.dumps(determinants, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class SweepImage:
    """The ground truth and the depth gradients of one image, read when first asked for."""

    def __init__(self, shared: SharedReading, key: str) -> None:
        self.shared = shared
        self.key = key
        self._gradients: dict[tuple[Any, ...], NDArray[np.float64]] = {}
        self._depths: dict[tuple[str, tuple[int, int]], NDArray[Any]] = {}

    @cached_property
    def target(self) -> tuple[Tensor, Ids]:
        """(H, W) int32 compact ids, and the (category, instance) of each."""
        ids = self.shared.truth.ground_truth.instance_ids(self.key)
        compact, found = compact_ids(ids.clamp(0, _MAX_INSTANCE_ID), _MAX_INSTANCE_ID + 1)
        return compact, self.shared.space.target(found).numpy()

    @cached_property
    def target_sizes(self) -> dict[int, tuple[int, int]]:
        """The size of comparison by short side; images are not enlarged."""
        ids = self.target[0]
        size = (ids.shape[0], ids.shape[1])
        return {side: shrunk_size(size, side) for side in self.shared.short_sides_px}

    def gradient(
        self,
        depth: str,
        sigma: float,
        size: tuple[int, int],
        sharpening: ToggleSharpening | None = None,
    ) -> NDArray[np.float64]:
        """Gradient magnitude of a depth source at a size; raises `ReadError`."""
        wanted = (depth, sigma, size, sharpening)
        if wanted not in self._gradients:
            values = self._depth(depth, size)
            sharp = values if sharpening is None else sharpening.sharpened(values)
            self._gradients[wanted] = gradient_magnitude_cpu(sharp, sigma)
        return self._gradients[wanted]

    def edges(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Depth edges at the threshold of the label-free criterion; none without any depth."""
        if not self.shared.depths:
            return np.zeros(size, dtype=np.bool_)
        return self.gradient(next(iter(self.shared.depths)), 1.0, size) > INSIDE_EDGE_THRESHOLD

    def observation(
        self, regions: Map, num_regions: int, splitter: Splitter, depth: str
    ) -> Observation:
        """Makes what a splitter looks at; raises `ReadError`.

        Args:
            regions: (h, w) 0 = no thing, else what is split together.
            num_regions: The highest of them.
            splitter: Says what it needs.
            depth: Name of the depth source.
        """
        size = (regions.shape[0], regions.shape[1])
        path = self.shared.truth.image_path(self.key)
        return Observation(
            semantic=torch.from_numpy(regions.astype(np.int64) - 1)[None],
            things=torch.ones(num_regions, dtype=torch.bool),
            image=read_image(path)[None].float() / 255 if IMAGE in splitter.needs else None,
            depth=torch.from_numpy(self._depth(depth, size))[None, None]
            if DEPTH in splitter.needs
            else None,
        )

    @property
    def depth_paths(self) -> list[Path]:
        """The depth files of the image, of every source that has one."""
        found = [r.find(self.shared.truth.split, self.key) for r in self.shared.depths.values()]
        return [Path(path) for path in found if path is not None]

    def _depth(self, depth: str, size: tuple[int, int]) -> NDArray[Any]:
        if (depth, size) not in self._depths:
            reader = self.shared.depths[depth]
            path = reader.find(self.shared.truth.split, self.key)
            if path is None:
                msg = f"no depth for {self.key}: {reader.root}. Make it or leave the image out."
                raise ReadError(msg)
            values = reader.read(path)[None]
            check_aspect(values, size, path)
            self._depths[depth, size] = resize_depth(values, size)[0, 0].numpy()
        return self._depths[depth, size]


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
        inputs = "" if path is None else _inputs(work, image)
        cached = None if path is None else _load(path, work, inputs)
        if cached is not None:
            return cached
        tables = make_tables(work, image)
    except Exception as error:
        return reason_of(error, image.key)
    if path is not None:
        write_bytes(path, _dump(tables, work, inputs))
    return tables


def _inputs(work: SweepWork, image: SweepImage) -> str:
    """Tells the files of one image from others: its labels, ground truth and depth.

    What a label store holds follows from its manifest, which is in the fingerprint.
    """
    files = [work.shared.truth.ground_truth.instance_file(image.key), *image.depth_paths]
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in files if path]
    labels = b""
    if not isinstance(work.labels, LabelStore):
        labels = work.labels.semantic(image.key).numpy().tobytes()
    return fingerprint(
        files=stats, split=work.shared.truth.split, labels=hashlib.sha256(labels).hexdigest()
    )


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
    """What is parted of an image: its thing regions (h, w), and the box around them."""

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

        return splitter.partition(things.inside, edges)
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


def _dump(tables: ImageTables, work: SweepWork, inputs: str) -> bytes:
    """Equal sizes of comparison share their arrays, in memory and in the file."""
    arrays: dict[str, Any] = {"fingerprint": np.array(f"{work.fingerprint} {inputs}")}
    first: dict[int, int] = {}
    for side, (pairs, stuff) in tables.comparisons.items():
        first.setdefault(id(pairs), side)
        arrays[f"{side}/as"] = np.array(first[id(pairs)])
        if first[id(pairs)] != side:
            continue
        arrays[f"{side}/pairs"], arrays[f"{side}/stuff"] = pairs, stuff
        for index, cut in enumerate(work.cuts):
            table = tables.cuts[side, cut]
            arrays[f"{side}/{index}/rows"] = table.rows.astype(np.int32)
            areas = (table.core_area_px, table.area_px, table.edge_px)
            arrays[f"{side}/{index}/areas"] = np.stack(areas).astype(np.int32)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _load(path: Path, work: SweepWork, inputs: str) -> ImageTables | None:
    """Reads what `_dump` wrote; `None` where there is nothing whole, or it is of other files."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["fingerprint"]) != f"{work.fingerprint} {inputs}":
                return None
            arrays = {name: file[name].astype(np.int64) for name in file.files[1:]}
        sides = {side: int(arrays[f"{side}/as"]) for side in work.shared.short_sides_px}
        return ImageTables(
            {side: (arrays[f"{own}/pairs"], arrays[f"{own}/stuff"]) for side, own in sides.items()},
            {
                (side, cut): CutTable(arrays[f"{own}/{i}/rows"], *arrays[f"{own}/{i}/areas"])
                for side, own in sides.items()
                for i, cut in enumerate(work.cuts)
            },
        )
    except FileNotFoundError:
        return None
    except Exception as error:  # a cut or foreign file fails in many ways
        log.info("made again: %s (%s)", path, type(error).__name__)
        return None


def determinants(work: SweepWork) -> dict[str, Any]:
    """What the tables depend on, for `fingerprint`."""
    return {
        "format": _FORMAT,
        "regions": work.region_of_cluster.tolist(),
        "categories": work.category_of_cluster.tolist(),
        "space": work.shared.space.name,
        "depths": {name: reader.description for name, reader in work.shared.depths.items()},
        "cuts": [asdict(cut) for cut in work.cuts],
        "code": sorted(source_code(kind) for kind in set(map(type, work.cuts.values()))),
        "split_short_side_px": work.shared.split_short_side_px,
        "short_sides_px": work.shared.short_sides_px,
    }
