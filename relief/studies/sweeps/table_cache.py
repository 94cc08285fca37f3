"""Tables of the images of a sweep, kept on disk so that a stopped sweep goes on."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relief.formats.files.atomic import whole_file
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.metrics.panoptic_statistics import Ids
from relief.schema.parts import Splitter
from relief.studies.sweeps.settings import Cut, source_code
from relief.studies.sweeps.split_tables import (
    CutTable,
)
from relief.studies.sweeps.sweep_image import SharedReading, SweepImage

log = logging.getLogger("relief")
_FORMAT = 4


@dataclass(frozen=True)
class SweepWork:
    """The work on each image of one source; picklable, so that processes can share it.

    Attributes:
        labels: The labels.
        region_of_cluster: (K,) 0 = no thing, else what is split together.
        category_of_cluster: (K,) what the tables call it: the cluster, or its class.
        cuts: All cuts, each with the splitter of its least area filter: tables hold no smaller
            part.
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


def determinants(work: SweepWork) -> dict[str, Any]:
    """Collects all that the tables depend on, for `fingerprint`."""
    return {
        "format": _FORMAT,
        "regions": work.region_of_cluster.tolist(),
        "categories": work.category_of_cluster.tolist(),
        "space": work.shared.truth.label_space.name,
        "depths": {name: reader.description for name, reader in work.shared.depths.items()},
        "cuts": [asdict(cut) for cut in work.cuts],
        "least_areas_px": [getattr(one, "min_area_px", None) for one in work.cuts.values()],
        "code": sorted(source_code(kind) for kind in set(map(type, work.cuts.values()))),
        "split_short_side_px": work.shared.split_short_side_px,
        "short_sides_px": work.shared.short_sides_px,
    }


def inputs_of(work: SweepWork, image: SweepImage) -> str:
    """Tells the files of one image from others: its labels, ground truth and depth.

    What a label store holds follows from its manifest, which is in the fingerprint.
    """
    files = [work.shared.truth.target_path(image.key), *image.depth_paths]
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in files if path]
    labels = b""
    if not isinstance(work.labels, LabelStore):
        labels = work.labels.semantic(image.key).numpy().tobytes()
    return fingerprint(
        files=stats, split=work.shared.truth.split, labels=hashlib.sha256(labels).hexdigest()
    )


def load_tables(path: Path, work: SweepWork, inputs: str) -> ImageTables | None:
    """Reads what `save_tables` wrote; `None` where nothing whole, or nothing of these files, is."""
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


def save_tables(path: Path, tables: ImageTables, work: SweepWork, inputs: str) -> None:
    """Writes tables; equal sizes of comparison share their arrays, in memory and in the file."""
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
    with whole_file(path) as file:
        np.savez(file, **arrays)
