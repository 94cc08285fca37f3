"""Files that are cut, flipped, empty, huge or of something else: a result or one line, always."""

import json
import random
import re
import struct
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

from callbacks.checkpoint_files import read_checkpoint
from relief.formats.coco_panoptic import write_panoptic_json
from relief.formats.coco_reader import CocoPanoptic
from relief.formats.cups import CupsLabels, write_cups
from relief.formats.depth_files import FolderDepth
from relief.formats.depth_record import read_depth_record, write_depth_record
from relief.formats.images import read_image
from relief.formats.label_png import read_ids, read_semantic
from relief.formats.label_store import LabelStore
from relief.models.codebook import Codebook
from relief.models.codebook_sources import read_published_centroids
from relief.models.segmenters.checkpoint import METADATA_KEY, read_segmenter
from relief.models.weights.files import load_state_dict
from relief.schema.categories import cluster_categories
from relief.schema.errors import ReliefError
from relief.schema.names import ClusterNames
from relief.studies.scoring.label_sources import read_assignment
from tests.relief.studies.tiny import KEYS, draw_store

CASES = 2000
LONGEST_S = 5.0


@dataclass(frozen=True)
class Kind:
    """One kind of file: where a valid one lies, and what reads it."""

    file: str
    read: Callable[[Path], Any]


def all_of(labels: Any) -> list[Any]:
    """Everything that a label reader has to say."""
    told = [labels.num_categories, labels.thing_ids]
    return [*told, *(labels.panoptic(key) for key in labels.keys)]


KINDS = {
    "photograph png": Kind("a.png", read_image),
    "photograph jpg": Kind("a.jpg", read_image),
    "depth npy": Kind("depth.npy", lambda path: FolderDepth(path.parent).read(str(path))),
    "depth png": Kind("depth.png", lambda path: FolderDepth(path.parent).read(str(path))),
    "depth record": Kind("depth.json", lambda path: read_depth_record(path.parent)),
    "ids": Kind("ids.png", read_ids),
    "semantic": Kind(f"store/semantic/{KEYS[0]}.png", read_semantic),
    "panoptic": Kind(f"store/panoptic/{KEYS[0]}.png", lambda p: store_of(p).panoptic(KEYS[0])),
    "manifest": Kind("store/manifest.json", lambda path: all_of(LabelStore(path.parent))),
    "coco": Kind("store/panoptic.json", lambda path: all_of(CocoPanoptic(path))),
    "cups": Kind("cups/pseudo_classes_split_0.pt", lambda p: CupsLabels(p.parent).statistics()),
    "cups map": Kind(f"cups/{KEYS[0].split('/')[1]}", lambda path: all_of(CupsLabels(path.parent))),
    "names": Kind("names.yaml", ClusterNames.read),
    "assignment": Kind("assignment.json", lambda path: read_assignment(path, "majority")),
    "codebook": Kind("codebook.safetensors", lambda path: Codebook().load(path)),
    "centroids": Kind("centroids.npz", read_published_centroids),
    "weights safetensors": Kind("w.safetensors", load_state_dict),
    "weights pth": Kind("w.pth", load_state_dict),
    "weights npy": Kind("w.npy", load_state_dict),
    "weights npz": Kind("w.npz", load_state_dict),
    "checkpoint": Kind("last.ckpt", read_checkpoint),
    "detector": Kind("last.ckpt", read_segmenter),
    "export": Kind("network.safetensors", read_segmenter),
}


def store_of(path: Path) -> LabelStore:
    return LabelStore(next(p for p in path.parents if (p / "manifest.json").exists()))


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
    store = LabelStore(draw_store(root / "store"))
    categories = cluster_categories(store.num_categories, store.thing_ids)
    write_panoptic_json(store.out, store.keys, categories)
    write_cups(root / "cups", store)
    (root / "names.yaml").write_text("car: [1, 3-4]\nroad: {clusters: 0, thing: false}\n")
    (root / "assignment.json").write_text(json.dumps({"majority": {"panoptic": [0, 1, 2]}}))
    codebook = Codebook()
    codebook.set_centroids(torch.eye(4))
    codebook.save(root / "codebook.safetensors")
    np.savez(root / "centroids.npz", centroids=np.eye(3), cluster_to_class=np.arange(3))
    tensors = {"a": torch.arange(6.0), "b": torch.eye(2)}
    save_file(tensors, root / "w.safetensors")
    torch.save({"state_dict": tensors, "epoch": 3}, root / "w.pth")
    np.save(root / "w.npy", np.eye(3))
    np.savez(root / "w.npz", a=np.eye(3), b=np.arange(4.0))
    about = {"classes": {"things": [1], "stuff": [0]}, "supervision": []}
    state = {f"network.{name}": value for name, value in tensors.items()}
    torch.save(
        {**about, "state_dict": state, "pytorch-lightning_version": "2", "label_classes": None},
        root / "last.ckpt",
    )
    save_file(tensors, root / "network.safetensors", {METADATA_KEY: json.dumps(about)})
    return root


def damaged(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """The file as accidents, other systems or enemies leave it."""
    kind, changed = draw.randrange(10), bytearray(content)
    if kind == 0:
        return content[: draw.randrange(len(content))]
    if kind == 1:
        for _ in range(draw.choice((1, 3, 30))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == 2:
        return b""
    if kind == 3:
        start = draw.randrange(len(changed))
        changed[start:] = bytes(len(changed) - start)
        return bytes(changed)
    if kind == 4:
        return draw.choice(others)
    if kind == 5:
        return content + content
    if kind == 6:
        return huge(content, draw)
    if kind == 7:
        return draw.randbytes(draw.randrange(1, 400))
    if kind == 8:
        return mistyped(content, draw)
    return draw.choice(
        (b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n", b"\0")
    )


def huge(content: bytes, draw: random.Random) -> bytes:
    """Headers that promise more than any memory holds."""
    if content.startswith(b"\x89PNG"):
        return content[:16] + struct.pack(">II", 60000, 60000) + content[24:]
    if content.startswith(b"\x93NUMPY"):
        return re.sub(rb"\(\d+,( \d+)?\)", b"(999999999999,)", content, count=1)
    return struct.pack("<Q", 2 ** draw.choice((20, 40, 60))) + content[8:]


def mistyped(content: bytes, draw: random.Random) -> bytes:
    """JSON and YAML with another value somewhere; other files with a line cut out."""
    try:
        value = json.loads(content)
    except ValueError:
        lines = content.split(b"\n")
        del lines[draw.randrange(len(lines))]
        return b"\n".join(lines)
    spots: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for name, inner in list(pairs):
            spots.append((node, name))
            if isinstance(inner, dict | list):
                visit(inner)

    visit(value)
    node, name = draw.choice(spots)
    node[name] = draw.choice((None, -1, 10**30, "x", [], {}, [[]], True, 0.5, {"a": None}))
    return json.dumps(value).encode()


def outcome(read: Callable[[Path], Any], path: Path) -> str:
    """What is wrong with what a reader does; empty where nothing is."""
    start = time.perf_counter()
    try:
        read(path)
    except ReliefError as error:
        text = str(error)
        if "\n" in text or not text.endswith(".") or text.endswith(".."):
            return f"no line that ends in one dot: {text!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - start
    return f"{seconds:.1f} s" if seconds > LONGEST_S else ""


@pytest.mark.faults
def test_every_reader_ends_in_a_result_or_in_one_line(whole, tmp_path):
    contents = {
        name: next(iter(sorted(whole.glob(f"{kind.file}*")))) for name, kind in KINDS.items()
    }
    bytes_of = {name: path.read_bytes() for name, path in contents.items()}
    for name, kind in KINDS.items():
        assert outcome(kind.read, contents[name]) == "", name
    wrong = []
    for case in range(CASES):
        name = list(KINDS)[case % len(KINDS)]
        draw = random.Random(case)
        path = contents[name]
        path.write_bytes(damaged(bytes_of[name], list(bytes_of.values()), draw))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = outcome(KINDS[name].read, path)
        path.write_bytes(bytes_of[name])
        if told:
            wrong.append(f"{name}, case {case}: {told}")
    assert not wrong, "\n".join([f"{len(wrong)} of {CASES}", *wrong[:60]])
