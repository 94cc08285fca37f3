import pytest
import torch
from torchvision.models import resnet50

from relief.models.segmenters.resnet_pyramid import (
    ResNetPyramid,
    SmallResNetPyramid,
    dino_to_detectron2,
)
from relief.schema.errors import WeightsError


def published_weights(tmp_path):
    """A state dict with the names that DINO publishes: torchvision's, without the classifier."""
    torch.manual_seed(0)
    network = resnet50().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    torch.save(state, tmp_path / "dino_resnet50_pretrain.pth")
    return network, tmp_path / "dino_resnet50_pretrain.pth"


def test_names():
    assert dino_to_detectron2("conv1.weight") == "stem.conv1.weight"
    assert dino_to_detectron2("bn1.running_mean") == "stem.conv1.norm.running_mean"
    assert dino_to_detectron2("layer1.0.downsample.0.weight") == "res2.0.shortcut.weight"
    assert dino_to_detectron2("layer1.0.downsample.1.bias") == "res2.0.shortcut.norm.bias"
    assert dino_to_detectron2("layer4.2.bn3.running_var") == "res5.2.conv3.norm.running_var"


def test_published_weights_give_the_features_of_torchvision(tmp_path):
    judge, path = published_weights(tmp_path)
    pyramid = ResNetPyramid(weights=path).eval()
    pyramid.setup()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        x = judge.maxpool(judge.relu(judge.bn1(judge.conv1(image))))
        found = pyramid.bottom_up(image)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(judge, name)(x)
            torch.testing.assert_close(found[f"res{int(name[-1]) + 1}"], x)
        assert [tuple(level.shape[1:]) for level in pyramid(image).values()] == [
            (256, 16, 24), (256, 8, 12), (256, 4, 6), (256, 2, 3), (256, 1, 2)
        ]  # fmt: skip


def test_setup_loads_once(tmp_path):
    _, path = published_weights(tmp_path)
    pyramid = ResNetPyramid(weights=path)
    pyramid.setup()
    path.unlink()
    pyramid.setup()


def test_weights_of_another_network(tmp_path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"cannot load weights: .*other\.pth"):
        ResNetPyramid(weights=tmp_path / "other.pth").setup()


def test_the_small_one_trains_from_scratch():
    pyramid = SmallResNetPyramid(widths=(32, 64, 96, 128), blocks=(1, 1, 1, 2), width=32)
    maps = pyramid(torch.rand(1, 3, 64, 128))
    assert [tuple(level.shape[1:]) for level in maps.values()] == [
        (32, 16, 32), (32, 8, 16), (32, 4, 8), (32, 2, 4), (32, 1, 2)
    ]  # fmt: skip
    assert all(parameter.requires_grad for parameter in pyramid.parameters())
    assert not list(pyramid.buffers())  # group norm keeps no statistics
