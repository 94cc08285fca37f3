from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from relief.formats.label_store import (
    LabelStore,
    panoptic_path,
    read_manifest,
    semantic_path,
    write_manifest,
    write_panoptic,
    write_semantic,
)
from relief.formats.segment_ids import MAX_INSTANCES, read_segment_ids
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import Manifest

KEYS = ["a", "aachen/aachen_000000_000019", "zürich/straße 1", "x.png", "日本/写真 #%?&+"]


def panoptic_of(semantic: torch.Tensor, instance: torch.Tensor) -> torch.Tensor:
    return torch.stack((semantic, instance), dim=-1)


def write_store(out: Path, k: int, things: tuple[int, ...], keys: list[str]) -> None:
    images = dict.fromkeys(keys, "labelled")
    groups = tuple(0 if i in things else -1 for i in range(k))
    write_manifest(out, Manifest(k=k, thing_ids=things, groups=groups, images=images))


@pytest.mark.parametrize("key", KEYS)
def test_what_is_written_reads_back_equal_under_any_key(tmp_path: Path, key: str) -> None:
    semantic = torch.tensor([[0, 1, 1, -1], [2, 2, 1, 0]])
    panoptic = panoptic_of(
        torch.tensor([[0, 1, 1, -1], [1, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0], [7, 7, 0, 0]])
    )
    write_store(tmp_path, 3, (1, 2), [key])
    write_semantic(tmp_path, key, semantic, 3)
    write_panoptic(tmp_path, key, panoptic, thing_mask((1, 2), 3))
    store = LabelStore(tmp_path)
    assert store.keys == [key]
    assert torch.equal(store.semantic(key), semantic)
    assert torch.equal(store.panoptic(key), panoptic)
    assert store.semantic(key).dtype == store.panoptic(key).dtype == torch.int64
    assert store.thing_ids == (1, 2)
    assert store.readable(key)


def test_segment_ids_in_the_file(tmp_path: Path) -> None:
    panoptic = panoptic_of(
        torch.tensor([[0, 1, 1, 510, -1]]), torch.tensor([[0, 3, 0, MAX_INSTANCES, 0]])
    )
    write_panoptic(tmp_path, "a", panoptic, thing_mask((1, 510), 511))
    rgb = np.array(Image.open(panoptic_path(tmp_path, "a"))).astype(int)
    ids = rgb[..., 0] + 256 * rgb[..., 1] + 256**2 * rgb[..., 2]
    assert ids.tolist() == [[32768, 2 * 32768 + 3, 0, 511 * 32768 + 32767, 0]]


def test_instances_of_stuff_are_dropped(tmp_path: Path) -> None:
    panoptic = panoptic_of(torch.tensor([[0, 0]]), torch.tensor([[4, 0]]))
    write_panoptic(tmp_path, "a", panoptic, thing_mask((), 1))
    assert read_segment_ids(panoptic_path(tmp_path, "a")).tolist() == [[32768, 32768]]


@pytest.mark.parametrize(
    ("k", "mode", "ignore"), [(255, "L", 255), (256, "I;16", 65535), (300, "I;16", 65535)]
)
def test_depth_of_the_semantic_file(tmp_path: Path, k: int, mode: str, ignore: int) -> None:
    semantic = torch.tensor([[-1, 0, k - 1, 254]])
    write_semantic(tmp_path, "a", semantic, k)
    with Image.open(semantic_path(tmp_path, "a")) as image:
        assert image.mode == mode
        assert np.array(image).tolist() == [[ignore, 0, k - 1, 254]]
    assert torch.equal(LabelStore(tmp_path).semantic("a"), semantic)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_round_trip_of_random_maps(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    k = data.draw(st.integers(1, 400))
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    things = data.draw(st.sets(st.integers(0, k - 1)))
    ids = hnp.arrays(np.int64, shape, elements=st.integers(-1, k - 1))
    semantic = torch.from_numpy(data.draw(ids))
    instance = torch.from_numpy(
        data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, MAX_INSTANCES)))
    )
    is_thing = thing_mask(sorted(things), k)
    instance[(semantic < 0) | ~is_thing[semantic.clamp(0)]] = 0
    out = tmp_path_factory.mktemp("store")
    write_store(out, k, tuple(sorted(things)), ["a"])
    write_semantic(out, "a", semantic, k)
    write_panoptic(out, "a", panoptic_of(semantic, instance), is_thing)
    assert torch.equal(LabelStore(out).semantic("a"), semantic)
    assert torch.equal(LabelStore(out).panoptic("a"), panoptic_of(semantic, instance))


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    semantic = torch.arange(64).reshape(8, 8) % 5
    for name in ("one", "two"):
        write_semantic(tmp_path / name, "a", semantic, 5)
        write_panoptic(tmp_path / name, "a", panoptic_of(semantic, semantic), thing_mask((1,), 5))
    for path in (semantic_path, panoptic_path):
        one, two = (path(tmp_path / name, "a").read_bytes() for name in ("one", "two"))
        assert one == two


@pytest.mark.parametrize("path", [semantic_path, panoptic_path])
def test_a_cut_file_is_not_readable_wherever_it_is_cut(tmp_path: Path, path) -> None:
    semantic = torch.arange(4096).reshape(64, 64) % 5
    write_store(tmp_path, 5, (), ["a"])
    write_semantic(tmp_path, "a", semantic, 5)
    write_panoptic(tmp_path, "a", panoptic_of(semantic, 0 * semantic), thing_mask((), 5))
    whole = path(tmp_path, "a").read_bytes()
    store = LabelStore(tmp_path)
    assert store.readable("a")
    for size in {0, 1, 8, 30, len(whole) // 2, len(whole) - 13, len(whole) - 5, len(whole) - 1}:
        path(tmp_path, "a").write_bytes(whole[:size])
        assert not store.readable("a"), size
        with pytest.raises(ReadError, match=r"cannot read label: .*a.png"):
            store.panoptic("a")


def test_a_damaged_byte_is_found(tmp_path: Path) -> None:
    write_semantic(tmp_path, "a", torch.arange(4096).reshape(64, 64) % 5, 5)
    path = semantic_path(tmp_path, "a")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(ReadError, match="damaged"):
        LabelStore(tmp_path).semantic("a")


def test_missing_and_differing_files_are_not_readable(tmp_path: Path) -> None:
    write_store(tmp_path, 2, (), ["a"])
    store = LabelStore(tmp_path)
    assert not store.readable("a")
    write_semantic(tmp_path, "a", torch.zeros(2, 3, dtype=torch.int64), 2)
    assert not store.readable("a")
    write_panoptic(tmp_path, "a", torch.zeros(3, 2, 2, dtype=torch.int64), thing_mask((), 2))
    assert not store.readable("a")
    with pytest.raises(ReadError, match=r"differ in size: .*3x2 and 2x3"):
        store.panoptic("a")


@pytest.mark.parametrize("key", ["", "/etc/a", "../a", "a/../../b", "a\0b"])
def test_keys_stay_in_the_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        write_semantic(tmp_path, key, torch.zeros(1, 1, dtype=torch.int64), 1)


@pytest.mark.parametrize("value", [-2, 3])
def test_ids_out_of_range_are_refused(tmp_path: Path, value: int) -> None:
    with pytest.raises(ValueError, match="expected ids"):
        write_semantic(tmp_path, "a", torch.tensor([[value]]), 3)
    with pytest.raises(ValueError, match="expected categories"):
        write_panoptic(tmp_path, "a", torch.tensor([[[value, 0]]]), thing_mask((), 3))
    assert not any(tmp_path.iterdir())


def test_too_many_instances_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected instances"):
        write_panoptic(tmp_path, "a", torch.tensor([[[0, 32768]]]), thing_mask((0,), 1))


def test_only_labelled_images_are_keys(tmp_path: Path) -> None:
    images = {"c": "labelled", "a": "failed", "b": "pending", "a/b": "labelled"}
    write_manifest(tmp_path, Manifest(k=1, images=images))
    assert LabelStore(tmp_path).keys == ["a/b", "c"]


def test_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no label store: .* has no manifest.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"k": 3}))
    with pytest.raises(UsageError, match="cannot read manifest"):
        read_manifest(tmp_path)
