import hashlib
import os

import pytest
import torch
from torch import nn

from relief.models.segmenters.checkpoint import read_segmenter
from relief.schema.errors import WeightsError
from relief.schema.training import DetectorClasses


def written(path, **changes):
    content = {
        "state_dict": {"network.weight": torch.ones(3, 2), "network.bias": torch.zeros(3)},
        "classes": {"things": (4, 1), "stuff": (0, 2, 3)},
        "supervision": ["labels: none"],
        "optimizer_states": [],
    }
    torch.save(content | changes, path)
    return path


def test_what_others_use_of_a_checkpoint(tmp_path):
    path = written(tmp_path / "last.ckpt")
    found = read_segmenter(path)
    assert found.classes == DetectorClasses((4, 1), (0, 2, 3))
    assert found.label_classes is None
    assert found.supervision == ("labels: none",)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    network = found.build(lambda things, stuff: nn.Linear(things, stuff))
    assert torch.equal(network.weight, torch.ones(3, 2))
    assert not network.training


def test_another_network(tmp_path):
    found = read_segmenter(written(tmp_path / "last.ckpt"))
    with pytest.raises(WeightsError, match=r"cannot load weights: .*last\.ckpt"):
        found.build(lambda things, stuff: nn.Linear(things, stuff, bias=False))


def test_how_it_was_chosen_is_supervision(tmp_path):
    found = read_segmenter(written(tmp_path / "best.ckpt", selection="val ground truth (val/pq)"))
    assert found.supervision[1:] == (
        "network: chosen among checkpoints by val ground truth (val/pq)",
    )


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"classes": 3, "state_dict": {}}])
def test_files_that_are_no_training(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"cannot read checkpoint: .*other\.ckpt"):
        read_segmenter(tmp_path / "other.ckpt")


def test_code_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    written(tmp_path / "last.ckpt", evaluation=Harmful())
    with pytest.raises(WeightsError):
        read_segmenter(tmp_path / "last.ckpt")
    assert not (tmp_path / "harm").exists()
