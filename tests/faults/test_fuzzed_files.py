"""Files that are cut, flipped, empty, huge or of something else: a result or one line, always."""

import json
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from callbacks.checkpoint_files import read_checkpoint
from relief.formats.cityscapes import CityscapesLabels
from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.cups import CupsLabels, write_cups
from relief.formats.depth_files import FolderDepth
from relief.formats.depth_record import write_depth_record
from relief.formats.images import read_image
from relief.formats.label_png import read_ids, read_semantic
from relief.formats.label_store import LabelStore
from relief.formats.monocular_ups import CENTROIDS, MonocularUpsLabels
from relief.metrics.segment_rows import load_rows, save_rows
from relief.models.backbones.cause_weights import ABOUT_KEY, about_of
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.codebook_sources import PublishedCentroids, read_published_centroids
from relief.models.segmenters.checkpoint import METADATA_KEY, SegmenterCheckpoint, read_segmenter
from relief.models.weights.files import RECORD_SUFFIX, load_state_dict, recorded_sha256, sha256_of
from relief.schema.categories import cluster_categories
from relief.schema.errors import ReliefError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.names import ClusterNames
from relief.sources.cityscapes import CityscapesSource
from relief.splitters.connected import ConnectedSplitter
from relief.studies.scoring.label_sources import read_assignment
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.sweep_image import SharedReading
from relief.studies.sweeps.sweep_images import image_tables
from relief.studies.sweeps.table_cache import ImageTables, SweepWork
from tests.faults.damage import damaged
from tests.relief.studies.tiny import KEYS, SIZE, draw_store, draw_tree

CASES = 2000
LONGEST_S = 2.0
MOST_LINES = 3
KEY = KEYS[0]
MONOCULAR = "pseudo_semantic_raw_k80"


@dataclass(frozen=True)
class Kind:
    """One kind of file: where a valid one lies, what reads it, and what that may return."""

    file: str
    read: Callable[[Path], Any]
    is_right: Callable[[Any], bool]


def is_tensor(dtype: torch.dtype, *shape: int | None) -> Callable[[Any], bool]:
    """Whether a value is a tensor of a type and shape; `None` is any length."""

    def is_right(value: Any) -> bool:
        return (
            isinstance(value, Tensor)
            and value.dtype == dtype
            and len(value.shape) == len(shape)
            and all(want in (None, length) for want, length in zip(shape, value.shape, strict=True))
        )

    return is_right


def is_depth(value: Any) -> bool:
    return is_tensor(torch.float32, 1, None, None)(value) and 0 <= value.min() <= value.max() <= 1


def are_tensors(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, Tensor) for entry in value.values())


def all_of(labels: Any) -> list[Any]:
    """Everything that a label reader has to say."""
    maps = [f(key) for key in labels.keys for f in (labels.panoptic, labels.semantic)]
    return [labels.num_categories, labels.thing_ids, *maps]


def are_labels(value: list[Any]) -> bool:
    number, things, *maps = value
    return (
        isinstance(number, int)
        and (things is None or all(type(thing) is int and 0 <= thing < number for thing in things))
        and all(map(is_tensor(torch.int64, None, None, 2), maps[::2]))
        and all(map(is_tensor(torch.int64, None, None), maps[1::2]))
    )


def codebook_of(path: Path) -> Codebook:
    codebook = Codebook()
    codebook.load(path)
    return codebook


def store_of(path: Path) -> LabelStore:
    return LabelStore(next(p for p in path.parents if (p / "manifest.json").exists()))


def tables_of(path: Path) -> Any:
    """The tables of one image of a sweep, from that cache; where an image cannot be read: why."""
    root = path.parents[2]
    shared = SharedReading(CityscapesSource(root, "val"), {}, SIZE[0], (0,))
    store = LabelStore(root / "store")
    region = store.manifest.group_of_id.numpy() + 1
    setting = Setting(ConnectedSplitter(1))
    cuts = {setting.cut: setting.splitter}
    work = SweepWork(store, region, np.arange(7), cuts, shared, root / "sweep", "mark")
    return image_tables([work], KEY)[0]


def monocular(path: Path) -> MonocularUpsLabels:
    return MonocularUpsLabels(next(p for p in path.parents if p.name == MONOCULAR).parent, "val")


IDS = is_tensor(torch.int64, None, None)
KINDS = {
    "photograph png": Kind("a.png", read_image, is_tensor(torch.uint8, 3, None, None)),
    "photograph jpg": Kind("a.jpg", read_image, is_tensor(torch.uint8, 3, None, None)),
    "depth npy": Kind("depth.npy", lambda p: FolderDepth(p.parent).read(str(p)), is_depth),
    "depth png": Kind("depth.png", lambda p: FolderDepth(p.parent).read(str(p)), is_depth),
    "depth record": Kind(
        "depth.json",
        lambda p: FolderDepth(p.parent).made_by(["val"]),
        lambda v: all(isinstance(text, str) for text in v["supervision"]),
    ),
    "ids": Kind("ids.png", read_ids, IDS),
    "cityscapes": Kind(
        f"gtFine/val/{KEY}_gtFine_instanceIds.png",
        lambda p: all_of(CityscapesLabels(p.parents[3], "val", CITYSCAPES_19)),
        are_labels,
    ),
    "semantic": Kind(f"store/semantic/{KEY}.png", read_semantic, IDS),
    "panoptic": Kind(f"store/panoptic/{KEY}.png", lambda p: all_of(store_of(p)), are_labels),
    "manifest": Kind("store/manifest.json", lambda p: all_of(LabelStore(p.parent)), are_labels),
    "coco": Kind("store/panoptic.json", lambda p: all_of(CocoPanoptic(p)), are_labels),
    "cups": Kind(
        "cups/pseudo_classes_split_0.pt", lambda p: all_of(CupsLabels(p.parent)), are_labels
    ),
    "cups map": Kind(
        f"cups/{KEY.split('/')[1]}", lambda p: all_of(CupsLabels(p.parent)), are_labels
    ),
    "monocular map": Kind(f"{MONOCULAR}/val/{KEY}.png", lambda p: all_of(monocular(p)), are_labels),
    "monocular centroids": Kind(
        f"{MONOCULAR}/{CENTROIDS}",
        lambda p: MonocularUpsLabels(p.parents[1], "val").centroids(),
        is_tensor(torch.float32, None, None),
    ),
    "monocular classes": Kind(
        f"{MONOCULAR}/{CENTROIDS}",
        lambda p: MonocularUpsLabels(p.parents[1], "val").class_of_cluster(),
        is_tensor(torch.int64, None),
    ),
    "names": Kind("names.yaml", ClusterNames.read, lambda v: isinstance(v.by_cluster, dict)),
    "assignment": Kind(
        "assignment.json",
        lambda p: read_assignment(p, "majority"),
        lambda v: all(type(number) is int for number in v),
    ),
    "codebook": Kind(
        "codebook.safetensors", codebook_of, lambda v: v.centroids.shape[:1] == v.groups.shape
    ),
    "centroids": Kind(
        "centroids.npz", read_published_centroids, lambda v: isinstance(v, PublishedCentroids)
    ),
    "weights safetensors": Kind("w.safetensors", load_state_dict, are_tensors),
    "weights pth": Kind("w.pth", load_state_dict, are_tensors),
    "weights npy": Kind("w.npy", load_state_dict, are_tensors),
    "weights npz": Kind("w.npz", load_state_dict, are_tensors),
    "weights record": Kind(
        f"r.npy{RECORD_SUFFIX}",
        lambda p: recorded_sha256(p.with_name("r.npy")),
        lambda v: isinstance(v, str),
    ),
    "weights' origin": Kind(
        "cause.safetensors", lambda p: about_of(str(p)), lambda v: isinstance(v, dict)
    ),
    "checkpoint": Kind("last.ckpt", read_checkpoint, lambda v: isinstance(v, dict)),
    "detector": Kind("last.ckpt", read_segmenter, lambda v: isinstance(v, SegmenterCheckpoint)),
    "export": Kind(
        "network.safetensors", read_segmenter, lambda v: isinstance(v, SegmenterCheckpoint)
    ),
    "rows": Kind("rows.npz", lambda path: load_rows(path, 5), is_tensor(torch.int64, None, 7)),
    "sweep": Kind(f"sweep/{KEY}.npz", tables_of, lambda v: isinstance(v, ImageTables)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a valid file of every kind."""
    root, draw = tmp_path_factory.mktemp("whole"), np.random.default_rng(0)
    picture = Image.fromarray(draw.integers(0, 255, (24, 40, 3)).astype(np.uint8))
    picture.save(root / "a.png")
    picture.save(root / "a.jpg")
    np.save(root / "depth.npy", draw.random((12, 20)).astype(np.float32))
    Image.fromarray(draw.integers(0, 65535, (12, 20)).astype(np.uint16)).save(root / "depth.png")
    Image.fromarray(draw.integers(0, 34, (12, 20)).astype(np.uint8)).save(root / "ids.png")
    write_depth_record(root, {"part": "x", "weights": {"a": "00"}, "notes": ["b"]})
    store = LabelStore(draw_store(draw_tree(root) / "store"))
    categories = cluster_categories(store.num_categories, store.thing_ids)
    write_panoptic_json(store.out, store.keys, categories)
    write_cups(root / "cups", store)
    (root / MONOCULAR / "val" / KEY).parent.mkdir(parents=True)
    (root / MONOCULAR / "val" / f"{KEY}.png").write_bytes((root / "ids.png").read_bytes())
    (root / "names.yaml").write_text("car: [1, 3-4]\nroad: {clusters: 0, thing: false}\n")
    (root / "assignment.json").write_text(json.dumps({"majority": {"panoptic": [0, 1, 2]}}))
    codebook = Codebook()
    codebook.set_centroids(torch.eye(4))
    codebook.metadata = {"supervision": ["a"], "classes": None}
    codebook.save(root / "codebook.safetensors")
    for name in ("centroids.npz", f"{MONOCULAR}/{CENTROIDS}"):
        np.savez(root / name, centroids=np.eye(3), cluster_to_class=np.arange(3))
    save_rows(root / "rows.npz", torch.arange(21).reshape(3, 7))
    tables_of(root / "sweep" / f"{KEY}.npz")
    tensors = {"a": torch.arange(6.0), "b": torch.eye(2)}
    save_file(tensors, root / "w.safetensors")
    save_file(tensors, root / "cause.safetensors", {ABOUT_KEY: json.dumps({"notes": ["a"]})})
    torch.save({"state_dict": tensors, "epoch": 3}, root / "w.pth")
    for name in ("w.npy", "r.npy"):
        np.save(root / name, np.eye(3))
    record = {"sha256": sha256_of(root / "r.npy"), "source": "x"}
    (root / f"r.npy{RECORD_SUFFIX}").write_text(json.dumps(record))
    np.savez(root / "w.npz", a=np.eye(3), b=np.arange(4.0))
    about = {"classes": {"things": [1], "stuff": [0]}, "supervision": [], "notes": ["a"]}
    state = {f"network.{name}": value for name, value in tensors.items()}
    torch.save(
        {**about, "state_dict": state, "pytorch-lightning_version": "2", "label_classes": None},
        root / "last.ckpt",
    )
    save_file(tensors, root / "network.safetensors", {METADATA_KEY: json.dumps(about)})
    return root


def outcome(kind: Kind, path: Path) -> str:
    """Returns how a reader breaks its promise; empty where it does not."""
    start = time.perf_counter()
    try:
        value = kind.read(path)
        problem = "" if kind.is_right(value) else f"returns {value!r:.200}"
    except ReliefError as error:
        problem = "" if is_one_line(str(error), path) else f"no line of that file: {str(error)!r}"
    except Exception as error:
        problem = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - start
    return problem or (f"{seconds:.1f} s" if seconds > LONGEST_S else "")


def is_one_line(text: str, path: Path) -> bool:
    """Whether a message is one line that ends in one dot and names the file or its folders."""
    is_line = "\n" not in text and text.endswith(".") and not text.endswith("..")
    return is_line and any(str(place) in text for place in (path.name, *path.parents[:3]))


def place(path: Path, content: bytes | None) -> None:
    """Puts bytes, or a directory, where a file or a directory lies."""
    if path.is_dir():
        path.rmdir()
    if content is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.faults
def test_every_reader_ends_in_a_result_or_in_one_line(whole, capfd):
    paths = {name: next(iter(sorted(whole.glob(f"{kind.file}*")))) for name, kind in KINDS.items()}
    contents = {name: path.read_bytes() for name, path in paths.items()}
    for name, kind in KINDS.items():
        assert outcome(kind, paths[name]) == "", name
    wrong = []
    for case in range(CASES):
        name = list(KINDS)[case % len(KINDS)]
        place(paths[name], damaged(contents[name], list(contents.values()), random.Random(case)))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            problem = outcome(KINDS[name], paths[name])
        lines = [str(warning.message) for warning in warned] + capfd.readouterr().err.splitlines()
        if not problem and len(lines) > MOST_LINES:
            problem = f"{len(lines)} lines beside the answer, such as {lines[0]!r:.200}"
        place(paths[name], contents[name])
        if problem:
            wrong.append(f"{name}, seed {case}: {problem}")
    assert not wrong, "\n".join([f"{len(wrong)} of {CASES}", *wrong[:60]])
