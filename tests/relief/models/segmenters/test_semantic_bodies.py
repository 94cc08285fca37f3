from __future__ import annotations

import pytest
import torch
from torchvision.models.resnet import Bottleneck, ResNet

from relief.models.segmenters.semantic_bodies import DilatedResNet, SmallBody
from relief.schema.errors import WeightsError

BLOCKS = (1, 1, 1, 1)


@pytest.mark.parametrize("body", [SmallBody((4, 6, 8), blocks=3), DilatedResNet(blocks=BLOCKS)])
def test_features_come_at_strides_4_and_8(body):
    low, high = body(torch.zeros(2, 3, 64, 96))
    assert low.shape == (2, body.channels[0], 16, 24)
    assert high.shape == (2, body.channels[1], 8, 12)


def test_weights_of_a_classifier_are_loaded(tmp_path):
    published = ResNet(Bottleneck, list(BLOCKS)).state_dict()
    torch.save(published, tmp_path / "resnet.pth")
    body = DilatedResNet(tmp_path / "resnet.pth", BLOCKS)
    body.setup()
    loaded = body.stages.state_dict()
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())
    with pytest.raises(WeightsError):
        DilatedResNet(tmp_path / "resnet.pth", (1, 1, 2, 1)).setup()
