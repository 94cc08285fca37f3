from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from relief.formats.coco.panoptic import segments_info, write_coco_panoptic, write_panoptic_json
from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.label_store import (
    LabelStore,
    panoptic_path,
    write_manifest,
    write_panoptic,
    write_semantic,
)
from relief.formats.segment_ids import read_segment_ids
from relief.schema.categories import class_categories, cluster_categories
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask
from relief.schema.manifest import Manifest
from tests.contracts.reader import ReaderContract

THINGS = (1, 3)
K = 4


def random_panoptic(seed: int, height: int = 24, width: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.randint(-1, K, (height // 4, width // 4), generator=generator)
    category = small.repeat_interleave(4, 0).repeat_interleave(4, 1)
    instance = torch.randint(1, 4, (height // 4, width // 4), generator=generator)
    instance = instance.repeat_interleave(4, 0).repeat_interleave(4, 1)
    instance[:2] = 0
    is_thing = torch.isin(category, torch.tensor(THINGS))
    return torch.stack((category, instance.where(is_thing, 0)), dim=-1)


def write_store(out: Path, keys: list[str]) -> LabelStore:
    write_manifest(out, Manifest(k=K, thing_ids=THINGS, images=dict.fromkeys(keys, "labelled")))
    for seed, key in enumerate(keys):
        panoptic = random_panoptic(seed)
        write_semantic(out, key, panoptic[..., 0], K)
        write_panoptic(out, key, panoptic, thing_mask(THINGS, K))
    return LabelStore(out)


@settings(max_examples=50, deadline=None)
@given(
    ids=hnp.arrays(
        np.uint32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=st.integers(0, 3).map(lambda i: i * 5_000_000),
    )
)
def test_segments_against_masks(ids: np.ndarray) -> None:
    segments = segments_info(ids, lambda segment: segment // 7)
    assert [segment["id"] for segment in segments] == [i for i in np.unique(ids).tolist() if i]
    for segment in segments:
        y, x = np.nonzero(ids == segment["id"])
        box = [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
        assert segment["bbox"] == box
        assert segment["area"] == len(x)
        assert segment["category_id"] == segment["id"] // 7


def test_the_whole_json(tmp_path: Path) -> None:
    panoptic = torch.tensor([[[1, 2], [1, 2], [0, 0]], [[1, 0], [-1, 0], [0, 0]]])
    write_panoptic(tmp_path, "b/c", panoptic, thing_mask((1,), 2))
    categories = cluster_categories(2, (1,), {1: "car"})
    write_panoptic_json(tmp_path, ["b/c"], categories, {"b/c": "b/c.JPG"})
    text = (tmp_path / "panoptic.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "images": [{"id": 1, "file_name": "b/c.JPG", "height": 2, "width": 3}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "b/c.png",
                "segments_info": [
                    {"id": 32768, "category_id": 0, "area": 2, "bbox": [2, 0, 1, 2], "iscrowd": 0},
                    {"id": 65538, "category_id": 1, "area": 2, "bbox": [0, 0, 2, 1], "iscrowd": 0},
                ],
            }
        ],
        "categories": [
            {"id": 0, "name": "cluster 0", "supercategory": "stuff", "isthing": 0,
             "color": categories[0]["color"]},
            {"id": 1, "name": "cluster 1 car", "supercategory": "thing", "isthing": 1,
             "color": categories[1]["color"]},
        ],
    }  # fmt: skip


def test_the_order_of_keys_changes_no_byte(tmp_path: Path) -> None:
    keys = [f"k{i:02d}" for i in range(12)]
    write_store(tmp_path, keys)
    write_panoptic_json(tmp_path, keys, cluster_categories(K, THINGS))
    first = (tmp_path / "panoptic.json").read_bytes()
    write_panoptic_json(tmp_path, keys[::-1], cluster_categories(K, THINGS))
    assert (tmp_path / "panoptic.json").read_bytes() == first
    images = json.loads(first)["images"]
    assert [(image["id"], image["file_name"]) for image in images] == [
        (number, f"{key}.png") for number, key in enumerate(keys, start=1)
    ]


def test_the_bytes_are_those_of_one_json_dump(tmp_path: Path) -> None:
    keys = ["a", "b/\u00e4", "c"]
    write_store(tmp_path, keys)
    names = {"a": 'a "quoted".png'}
    categories = cluster_categories(K, THINGS, {1: "stra\u00dfe"})
    write_panoptic_json(tmp_path, keys, categories, names, ("val ground truth",))
    text = (tmp_path / "panoptic.json").read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) + "\n"
    write_panoptic_json(tmp_path, [], categories)
    text = (tmp_path / "panoptic.json").read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) + "\n"


def test_memory_does_not_grow_with_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(1, 101, dtype=np.uint32)[:, None]  # 100 segments: about 8 kB of JSON
    monkeypatch.setattr("relief.formats.coco.panoptic._IMAGES_AT_ONCE", 4)
    monkeypatch.setattr("relief.formats.coco.panoptic.read_segment_ids", lambda path: rows)

    def peak(images: int) -> int:
        tracemalloc.start()
        keys = [f"{i:05d}" for i in range(images)]
        write_panoptic_json(tmp_path, keys, cluster_categories(K, THINGS))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(10), peak(49)  # from 50 on there is a bar
    assert (tmp_path / "panoptic.json").stat().st_size > 300_000
    assert many < few + 120_000


def test_what_no_segment_id_can_hold_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^600 clusters: .* at most 511"):
        write_coco_panoptic(tmp_path / "coco", write_store(tmp_path / "store", ["a"]), [{}] * 600)
    many = SimpleNamespace(keys=["a"], panoptic=lambda key: torch.full((2, 2, 2), 40000))
    with pytest.raises(ReadError, match=r"^a: ValueError \(expected categories in"):
        write_coco_panoptic(tmp_path / "coco", many, cluster_categories(K, THINGS))


def test_what_is_exported_reads_back_equal(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["a", "z/b"])
    write_coco_panoptic(tmp_path / "coco", store, cluster_categories(K, THINGS))
    read = CocoPanoptic(tmp_path / "coco/panoptic.json")
    assert read.keys == ["a", "z/b"]
    assert (read.num_categories, read.thing_ids) == (K, THINGS)
    for key in read.keys:
        panoptic = store.panoptic(key)
        without = torch.isin(panoptic[..., 0], torch.tensor(THINGS)) & (panoptic[..., 1] == 0)
        panoptic[without] = torch.tensor([-1, 0])  # COCO has no thing pixel without a segment
        assert torch.equal(read.panoptic(key), panoptic)
        assert torch.equal(read.semantic(key), panoptic[..., 0])


def test_panopticapi_accepts_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = pytest.importorskip("panopticapi.evaluation")
    store = write_store(tmp_path, ["a", "b/c"])
    write_panoptic_json(tmp_path, store.keys, cluster_categories(K, THINGS))
    content = json.loads((tmp_path / "panoptic.json").read_text())
    pairs = [(entry, json.loads(json.dumps(entry))) for entry in content["annotations"]]
    categories = {category["id"]: category for category in content["categories"]}
    folder = str(tmp_path / "panoptic")
    found = evaluation.pq_compute_single_core(0, pairs, folder, folder, categories)
    result, _ = found.pq_average(categories, isthing=None)
    assert result["pq"] == 1.0
    assert result["n"] == K


def test_categories_of_classes() -> None:
    categories = class_categories(CITYSCAPES_19)
    assert categories[13] == {
        "id": 13, "name": "car", "supercategory": "thing", "isthing": 1, "color": [0, 0, 142],
    }  # fmt: skip


def test_neighbouring_clusters_have_colours_apart() -> None:
    colors = np.array([c["color"] for c in cluster_categories(80, ())])
    assert len({tuple(color) for color in colors}) == 80
    assert np.abs(np.diff(colors, axis=0)).max(axis=1).min() > 60


class TestCocoPanoptic(ReaderContract):
    @pytest.fixture
    def labels(self, tmp_path):
        store = write_store(tmp_path / "store", ["a", "deep/b"])
        write_coco_panoptic(tmp_path / "coco", store, cluster_categories(K, THINGS), [])
        return CocoPanoptic(tmp_path / "coco" / "panoptic.json")


class TestLabelStore(ReaderContract):
    @pytest.fixture
    def labels(self, tmp_path):
        return write_store(tmp_path, ["a", "deep/b"])


def test_segments_of_sure_labels_have_scores_and_others_none(tmp_path):
    store = write_store(tmp_path, ["a"])
    sure = torch.rand(24, 40, generator=torch.Generator().manual_seed(1))
    categories = cluster_categories(K, THINGS)
    write_panoptic_json(tmp_path, ["a"], categories, confidence=lambda key: sure)
    ids = read_segment_ids(panoptic_path(tmp_path, "a"))
    segments = json.loads((tmp_path / "panoptic.json").read_text())["annotations"][0]
    assert len(segments["segments_info"]) > 5
    for segment in segments["segments_info"]:
        mean = float(sure[torch.from_numpy(ids == segment["id"])].mean())
        assert segment["score"] == pytest.approx(mean, abs=1e-4)
    write_coco_panoptic(tmp_path / "coco", store, categories, confidence=lambda key: sure)
    exported = json.loads((tmp_path / "coco" / "panoptic.json").read_text())["annotations"][0]
    assert exported["segments_info"] == segments["segments_info"]
    write_panoptic_json(tmp_path, ["a"], categories, confidence=store.confidence)
    assert "score" not in (tmp_path / "panoptic.json").read_text()
