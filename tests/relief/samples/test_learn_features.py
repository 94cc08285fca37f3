import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from relief.models.backbones.cause_tr import CauseTR
from relief.models.backbones.handmade import HandmadeRGB
from relief.samples.learn_features import main


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "sample" / "leftImg8bit" / "train" / "town"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        picture = rng.integers(0, 256, (64, 128, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"town_00000{i}_000000_leftImg8bit.png")
    return tmp_path / "sample"


def test_one_line_where_nothing_was_drawn(tmp_path, capsys):
    assert main(["--root", str(tmp_path), "--out", str(tmp_path / "x.safetensors")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: no train images: {tmp_path} (looked for ")
    assert error.count("\n") == 1


def test_the_handmade_whitening_is_fitted_in_seconds(root, tmp_path):
    out = tmp_path / "new" / "handmade.safetensors"
    assert main(["--root", str(root), "--out", str(out), "--handmade"]) == 0
    backbone = HandmadeRGB(str(out))
    backbone.setup()
    assert backbone(torch.rand(1, 3, 28, 28)).shape == (1, 19, 2, 2)


@pytest.mark.slow
def test_learning_writes_a_file_that_can_be_gone_on_from(root, tmp_path, capsys):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    arguments = ["--root", str(root), "--limit", "1", "--steps", "2"]
    assert main([*arguments, "--out", str(first)]) == 0
    assert main([*arguments, "--out", str(second), "--start", str(first), "--seed", "1"]) == 0
    assert "learned from 1 images" in capsys.readouterr().out
    assert load_file(first).keys() == load_file(second).keys()
    network = CauseTR(str(second))
    network.setup()
    assert "drawn scenes only" in network.provenance["notes"][0]
    assert network(torch.rand(1, 3, 322, 322)).isfinite().all()
