import builtins
import json
import sys

import numpy as np
import pytest

import relief
from relief.schema.errors import UsageError


@pytest.fixture(scope="module")
def store(labels, tmp_path_factory):
    return labels.save(tmp_path_factory.mktemp("labels") / "store")


def test_a_store_reads_as_it_was(labels, store, photographs):
    opened = relief.open(store, images=photographs)
    assert opened.keys == labels.keys
    assert opened.objects() == labels.objects()
    for was, now in zip(labels, opened, strict=True):
        assert np.array_equal(was.overlay(), now.overlay())
        assert np.array_equal(was.image, now.image)


def test_every_object_has_a_row(labels):
    image = labels["street_1"]
    numbers = {row["instance"] for row in image.objects}
    assert numbers == set(np.unique(image.panoptic[..., 1]).tolist()) - {0}
    assert len(numbers) > 0
    for row in image.objects:
        mask = image.panoptic[..., 1] == row["instance"]
        assert mask.sum() == row["area_px"]
        assert mask[row["y"] :, row["x"] :][: row["height"], : row["width"]].sum() == mask.sum()
        assert row["name"] == f"cluster {row['category']}"
        assert row["score"] is None


def test_images_are_found_by_key_and_by_number(labels):
    assert labels[-1].key == labels.keys[-1] == labels["street_4"].key
    assert len(labels) == len(list(labels)) == 5
    with pytest.raises(KeyError):
        labels["street_9"]
    with pytest.raises(IndexError):
        labels[9]


def test_overlays_are_pictures_of_the_size_asked_for(labels, store):
    assert labels[0].overlay().shape == (32, 64, 3)
    assert labels[0].overlay(longest_px=16).shape == (8, 16, 3)
    without = relief.open(store)[0]
    assert without.image is None
    assert without.overlay().shape == (32, 64, 3)
    assert labels.show(most=3, columns=2).size == (128, 64)


def test_formats_are_written(labels, store, tmp_path):
    for number, these in enumerate((labels, relief.open(store))):
        out = these.save(tmp_path / str(number), format="coco_panoptic")
        content = json.loads((out / "panoptic.json").read_text())
        assert [one["file_name"] for one in content["images"]] == [f"{k}.png" for k in labels.keys]
    with pytest.raises(UsageError, match=r"unknown format: nothing\. Use one of cityscapes, "):
        labels.save(tmp_path, format="nothing")
    with pytest.raises(UsageError, match="store already"):
        relief.open(store).save(tmp_path / "again")


def test_a_folder_with_other_labels_is_left_alone(labels, store):
    before = (store / "manifest.json").read_bytes()
    labels.save(store)  # the same once more
    assert (store / "manifest.json").read_bytes() == before
    assert not (store / "run.lock").exists()


def test_no_labels_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no label store"):
        relief.open(tmp_path)


def test_a_table_is_one_of_pandas_where_it_is_installed(labels, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pandas is not installed"):
        labels.table()
    stand_in = type(sys)("pandas")
    stand_in.DataFrame = builtins.list
    monkeypatch.setitem(sys.modules, "pandas", stand_in)
    assert labels.table() == labels.objects()
