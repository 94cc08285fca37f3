import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from relief.models.segmenters.checkpoint import read_segmenter
from relief.models.segmenters.export import main
from relief.schema.errors import WeightsError
from relief.schema.training import DetectorClasses


@pytest.fixture
def checkpoint(tmp_path):
    """A self-training: the student is all ones, the teacher all twos."""
    shapes = {"weight": (5, 2), "bias": (5,)}
    content = {
        "state_dict": {
            f"{network}.{name}": torch.full(shape, value)
            for network, value in (("network", 1.0), ("teacher", 2.0))
            for name, shape in shapes.items()
        },
        "classes": {"things": (4, 1), "stuff": (0, 2, 3), "apart": True},
        "label_classes": "cityscapes19",
        "supervision": ["labels: ground truth"],
        "notes": ["a word"],
        "network": {"class_path": "torch.nn.Linear", "init_args": {"bias": True}},
        "selection": "val ground truth (val/pq)",
        "prediction": {"short_side_px": 256, "stuff_area_px": 0},
    }
    torch.save(content, tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


@pytest.mark.parametrize(("which", "value"), [("teacher", 2.0), ("student", 1.0)])
def test_what_is_exported_reads_back(checkpoint, tmp_path, which, value):
    out = tmp_path / "new" / f"{which}.safetensors"
    assert main(["--checkpoint", str(checkpoint), "--which", which, "--out", str(out)]) == 0
    assert load_file(out).keys() == {"weight", "bias"}
    read, original = read_segmenter(out), read_segmenter(checkpoint, which)
    assert read.classes == original.classes == DetectorClasses((4, 1), (0, 2, 3), apart=True)
    assert read.origin.label_classes == "cityscapes19"
    assert read.origin == original.origin
    assert read.origin.notes == ("a word",)
    assert read.prediction == {"short_side_px": 256, "stuff_area_px": 0}
    assert len(read.origin.supervision) == 2
    network = read.build()
    assert type(network) is nn.Linear
    assert (network.weight == value).all()
    again = out.with_stem("again")
    main(["--checkpoint", str(out), "--out", str(again)])
    assert again.read_bytes() == out.read_bytes()
    assert {path.name for path in out.parent.iterdir()} == {out.name, again.name}


def test_the_teacher_unless_given(checkpoint, tmp_path):
    out = tmp_path / "a.safetensors"
    main(["--checkpoint", str(checkpoint), "--out", str(out)])
    assert (load_file(out)["weight"] == 2).all()


@pytest.mark.slow
def test_a_command_of_its_own(checkpoint, tmp_path):
    out = tmp_path / "a.safetensors"
    command = [sys.executable, "-m", "relief.models.segmenters.export"]
    command += ["--checkpoint", str(checkpoint), "--out", str(out)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert out.exists()


def test_mistakes_are_told_in_a_line(checkpoint, tmp_path, capsys):
    (tmp_path / "file").touch()
    for given, out, line in (
        (tmp_path / "none.ckpt", "a.safetensors", "error: no checkpoint: "),
        (checkpoint, "a.ckpt", "Name it a.safetensors."),
        (checkpoint, "file/a.safetensors", "error: cannot write "),
    ):
        assert main(["--checkpoint", str(given), "--out", str(tmp_path / out)]) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert line in said[0]


def test_other_safetensors_are_no_checkpoint(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"12345")
    for name in ("other", "cut"):
        with pytest.raises(WeightsError, match=rf"^cannot read checkpoint: .*{name}"):
            read_segmenter(tmp_path / f"{name}.safetensors")
