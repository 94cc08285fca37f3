import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import cli
import label
import relief
from relief.formats.label_store import LabelStore
from relief.schema.errors import ReadError, UsageError
from tests.label_runs import TINY
from tests.relief.notebooks.conftest import OPTIONS


def test_labels_are_those_of_label_py(photographs, labels, tmp_path):
    arguments = [
        *("--config", str(TINY), "--out", str(tmp_path / "out"), "--data.init_args.depth", "null"),
        *("--data", "datamodules.image_folder.ImageFolder", "--data.init_args.root"),
        *(str(photographs), "--model.init_args.splitter"),
        OPTIONS["model.init_args.splitter"]["class_path"],
        *("--model.init_args.splitter.init_args.min_area_px", "4"),
    ]
    assert cli.exit_code(label.main, arguments) == 0
    store = LabelStore(tmp_path / "out")
    assert labels.keys == store.keys
    for image in labels:
        assert image.panoptic.tolist() == store.panoptic(image.key).tolist()
        assert image.semantic.tolist() == store.semantic(image.key).tolist()
    labels.save(tmp_path / "saved")
    for name in ("panoptic/street_3.png", "semantic/street_3.png", "panoptic.json"):
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_arrays_and_tensors_are_labelled_by_the_clusters_of_the_first(photographs, tmp_path):
    labeller = relief.load(TINY, OPTIONS, device="cpu")
    assert not labeller.is_fitted
    with pytest.raises(UsageError, match="no codebook to save"):
        labeller.save_codebook(tmp_path / "codebook.safetensors")
    first = labeller(photographs)
    array = np.asarray(Image.open(photographs / "street_2.png"))
    again = labeller([array, torch.from_numpy(array).permute(2, 0, 1)])
    assert again.keys == ["image_0000", "image_0001"]
    for image in again:
        assert image.panoptic.tolist() == first["street_2"].panoptic.tolist()
    labeller.save_codebook(tmp_path / "codebook.safetensors")
    other = relief.load(TINY, OPTIONS, codebook=tmp_path / "codebook.safetensors", device="cpu")
    assert other(array)[0].panoptic.tolist() == first["street_2"].panoptic.tolist()
    assert other.is_fitted


def test_an_image_that_fails_stands_beside_the_others(photographs, tmp_path):
    folder = tmp_path / "photographs"
    shutil.copytree(photographs, folder)
    (folder / "broken.png").write_bytes(b"nothing")
    labels = relief.load(TINY, OPTIONS, device="cpu")(folder)
    assert labels.keys == [f"street_{number}" for number in range(5)]
    (failure,) = labels.failures
    assert failure["key"] == "broken"
    labels.save(tmp_path / "store")
    assert relief.open(tmp_path / "store").failures == [failure]


def test_nothing_but_broken_images_is_an_error(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises((ReadError, UsageError), match="broken"):
        relief.load(TINY, OPTIONS, device="cpu")(tmp_path)


@pytest.mark.parametrize(
    ("recipe", "options", "line"),
    [
        ("no_such_recipe", {}, "no such recipe: no_such_recipe"),
        (TINY, {}, "DepthGradientSplitter needs depth"),
        (TINY, OPTIONS | {"model.init_args.nothing": 3}, "nothing"),
        (TINY, OPTIONS | {"fitter.init_args.oracle_classes": "cityscapes19"}, "ground truth"),
    ],
)
def test_wrong_use_is_a_line(recipe, options, line):
    with pytest.raises(UsageError, match=line):
        relief.load(recipe, options, device="cpu")
