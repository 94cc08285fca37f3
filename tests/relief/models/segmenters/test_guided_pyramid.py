import pytest
import torch
from torch import nn
from torch.nn import functional as F

from relief.models.backbones.cause_tr import IMAGE_MEAN, IMAGE_STD
from relief.models.segmenters.guided_pyramid import GuidedPyramid
from relief.models.segmenters.resnet_pyramid import SmallResNetPyramid

LEVELS = ["p2", "p3", "p4", "p5", "p6"]


class Patches(nn.Module):
    """Mean colour of each patch; remembers what it was shown."""

    patch_px, dim = 14, 3

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.shown, self.setups = [], 0

    def setup(self):
        self.setups += 1

    def forward(self, image):
        self.shown.append(image)
        return self.gain * F.avg_pool2d(image, 14)


def normalised(image):
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (IMAGE_MEAN, IMAGE_STD))
    return (image - mean) / std


@pytest.fixture
def guided():
    torch.manual_seed(0)
    return GuidedPyramid(
        SmallResNetPyramid(widths=(32, 64, 96, 128), width=32), Patches(), magnification=0.875
    )


def test_all_but_the_features_learns(guided):
    maps = guided(torch.rand(2, 3, 64, 128))
    assert list(maps) == list(guided.output_shape()) == LEVELS
    assert [tuple(level.shape) for level in maps.values()] == [
        (2, 32, 16, 32), (2, 32, 8, 16), (2, 32, 4, 8), (2, 32, 2, 4), (2, 32, 1, 2)
    ]  # fmt: skip
    sum(level.square().sum() for level in maps.values()).backward()
    assert guided.features.gain.grad is None
    assert all(parameter.grad is not None for parameter in guided.parameters())
    assert not any(name.startswith("_features") for name in guided.state_dict())
    assert guided.size_divisibility == guided.pyramid.size_divisibility


def test_the_features_see_the_image_as_it_was(guided):
    image = torch.rand(1, 3, 64, 128)
    guided(normalised(image))
    expected = F.interpolate(
        image, size=(56, 112), mode="bilinear", align_corners=False, antialias=True
    )
    torch.testing.assert_close(guided.features.shown[0], expected)


def test_guides_are_added_to_every_level(guided):
    image = torch.rand(1, 3, 64, 128)
    for guide in guided.guides.values():
        nn.init.zeros_(guide.norm.weight)
        nn.init.constant_(guide.norm.bias, 2.0)
    plain = guided.pyramid(image)
    for name, level in guided(image).items():
        torch.testing.assert_close(level, plain[name] + 2.0)


def test_setup_reads_both(guided):
    guided.setup()
    assert guided.features.setups == 1
    assert not guided.features.training


def test_trained_weights_bring_the_features(guided):
    again = GuidedPyramid(
        SmallResNetPyramid(widths=(32, 64, 96, 128), width=32), Patches(), magnification=0.875
    )
    network = nn.Sequential(again)
    network.load_state_dict(nn.Sequential(guided).state_dict())
    assert again.features.setups == 1
    image = torch.rand(1, 3, 64, 128)
    torch.testing.assert_close(again(image)["p2"], guided(image)["p2"])
