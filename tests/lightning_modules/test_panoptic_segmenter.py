from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lightning_modules.panoptic_segmenter import PanopticSegmenter
from relief.schema.errors import WeightsError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import DetectorClasses, LabelOrigin


class Network(nn.Linear):
    def setup(self):
        pass


def test_a_network_on_the_cpu_is_made_without_a_look_at_any_gpu(monkeypatch):
    def touched(*arguments):
        raise AssertionError("a GPU was touched")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", touched)
    monkeypatch.setattr(torch.cuda, "set_rng_state", touched)
    model = PanopticSegmenter(Network, seed=3)
    model.trainer = SimpleNamespace(
        ckpt_path=None,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        datamodule=SimpleNamespace(
            classes=DetectorClasses((2,), (0, 1)), label_space=CITYSCAPES_19
        ),
    )
    before = torch.get_rng_state()
    model.configure_model()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(model.network.weight, Network(1, 2).weight)


def trainer_of(classes, origin=LabelOrigin(supervision=("labels",))):  # noqa: B008  # frozen
    return SimpleNamespace(
        ckpt_path=None,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        datamodule=SimpleNamespace(classes=classes, label_space=CITYSCAPES_19, label_origin=origin),
    )


def test_a_training_begins_with_a_checkpoint_and_its_supervision(tmp_path):
    path = tmp_path / "last.ckpt"
    state = {"network.weight": torch.ones(2, 1), "network.bias": torch.ones(2)}
    content = {"state_dict": state, "supervision": ["before"], "label_classes": None}
    torch.save(content | {"classes": {"things": (2,), "stuff": (0, 1)}, "evaluation": {}}, path)
    model = PanopticSegmenter(Network, checkpoint=path)
    model.trainer = trainer_of(DetectorClasses((2,), (0, 1)))
    model.find_start()
    model.configure_model()
    assert torch.equal(model.network.weight, torch.ones(2, 1))
    assert model.network.training
    assert model.label_origin.supervision == ("before", "labels")
    assert len(model.start_mark()) == 64

    other = PanopticSegmenter(Network, checkpoint=path)
    other.trainer = trainer_of(DetectorClasses((1,), (0,)))
    with pytest.raises(WeightsError, match=r"of other classes: .* \(1 things, 2 stuff\)"):
        other.configure_model()
