from types import SimpleNamespace

import torch
from torch import nn

from lightning_modules.panoptic_segmenter import PanopticSegmenter
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import DetectorClasses


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
