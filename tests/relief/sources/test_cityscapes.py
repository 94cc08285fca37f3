from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from relief.formats.cityscapes import CityscapesLabels
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.sources import keys_with_target
from relief.sources.cityscapes import CityscapesSource
from tests.contracts.source import SourceContract
from tests.relief.formats.test_cityscapes import KEY, draw_tree, write_ids


class TestCityscapesSource(SourceContract):
    @pytest.fixture
    def source(self, tiny_cityscapes):
        return CityscapesSource(str(tiny_cityscapes), "val", "cityscapes27")


def test_files_are_looked_up_when_asked_for(tmp_path):
    source = CityscapesSource(str(tmp_path))
    with pytest.raises(UsageError, match=r"no images found: data\.root="):
        _ = source.keys


def test_images_and_ground_truth_by_key(tmp_path: Path) -> None:
    draw_tree(tmp_path, "bonn/bonn_000001_000019", KEY)
    tree = CityscapesSource(tmp_path, "val")
    assert tree.keys == [KEY, "bonn/bonn_000001_000019"]
    assert tree.image_path(KEY).is_file()
    assert keys_with_target(tree) == tree.keys
    assert tree.target_path(KEY)
    assert tree.ids.label_ids(KEY).tolist() == [[7, 26], [26, 3]]
    # road; a group of cars without instances; car number 4; static is void
    assert tree.target(KEY).tolist() == [[[0, 0], [13, 0]], [[13, 5], [-1, 0]]]


def test_a_tree_without_ground_truth(tmp_path: Path) -> None:
    draw_tree(tmp_path, KEY, ground_truth=False)
    tree = CityscapesSource(tmp_path, "val")
    assert tree.keys == [KEY]
    assert keys_with_target(tree) == []
    assert not tree.target_path(KEY)
    with pytest.raises(ReadError, match=r"instanceIds.png \(No such file"):
        tree.target(KEY)


def test_other_and_hidden_files_are_not_images(tmp_path: Path) -> None:
    draw_tree(tmp_path, KEY, "bonn/._bonn", ".trash/a")
    (tmp_path / "leftImg8bit/val/aachen/notes.txt").write_text("")
    assert CityscapesSource(tmp_path, "val").keys == [KEY]


def test_no_images_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        _ = CityscapesSource(tmp_path, "val").keys
    assert str(caught.value).startswith(f"no images found: data.root={tmp_path} (looked for ")
    assert str(caught.value).endswith("Check data.root and data.split.")


def test_the_real_frame() -> None:
    shared = os.environ.get("RELIEF_SHARED")
    if not shared:
        pytest.skip("RELIEF_SHARED is not set")
    tree = CityscapesSource(Path(shared) / "real/cityscapes_small", "val")
    (key,) = tree.keys
    assert key == "frankfurt/frankfurt_000000_000294"
    target = tree.target(key)
    assert target.shape == (128, 256, 2)
    label_class = CITYSCAPES_19.class_of_label_id[tree.ids.label_ids(key)]
    assert torch.equal(target[..., 0], label_class)


def test_cities_may_be_links(tmp_path: Path) -> None:
    draw_tree(tmp_path / "real", KEY)
    for part in ("leftImg8bit", "gtFine"):
        (tmp_path / "tree" / part / "val").mkdir(parents=True)
        (tmp_path / "tree" / part / "val" / "aachen").symlink_to(
            tmp_path / "real" / part / "val" / "aachen"
        )
    tree = CityscapesSource(tmp_path / "tree", "val")
    assert tree.keys == tree.ids.keys == [KEY]
    assert keys_with_target(tree) == [KEY]
    assert CityscapesLabels(tmp_path / "tree", "val", CITYSCAPES_19).keys == [KEY]


def test_ground_truth_in_another_unicode_form_is_that_of_its_image(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "köln/köln_0") for form in ("NFC", "NFD"))
    draw_tree(tmp_path, composed, ground_truth=False)
    write_ids(tmp_path / f"gtFine/val/{apart}_gtFine_instanceIds.PNG", [[7, 26004]], np.uint16)
    tree = CityscapesSource(tmp_path, "val")
    assert tree.target_path(composed)
    assert not tree.target_path("aachen/0")
    assert tree.target(composed).tolist() == [[[0, 0], [13, 5]]]


def test_a_split_without_instance_ids_is_read_from_its_label_ids(tmp_path: Path, caplog) -> None:
    draw_tree(tmp_path, KEY, ground_truth=False)
    path = tmp_path / f"gtFine/val/{KEY}_gtFine_labelIds.png"
    write_ids(path, [[7, 26, 0]], np.uint8)
    tree = CityscapesSource(tmp_path, "val")
    assert tree.target_path(KEY)
    assert tree.ids.keys == [KEY]
    assert tree.target(KEY).tolist() == [[[0, 0], [13, 0], [-1, 0]]]
    assert caplog.text.count("their PQ says nothing") == 1
    # One image with objects: the others are missing then, not without objects.
    write_ids(tmp_path / "gtFine/val/ulm/ulm_0_gtFine_instanceIds.png", [[26001]], np.uint16)
    assert CityscapesSource(tmp_path, "val").target_path(KEY) is None
