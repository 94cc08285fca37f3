import pytest
import torch

from relief.models.backbones.rgb_statistics import RGBStatistics, patch_statistics
from tests.contracts.backbone import BackboneContract


def test_statistics_of_a_patch_by_hand():
    image = torch.zeros(1, 1, 2, 4)
    image[0, 0] = torch.tensor([[0.0, 1.0, 0.5, 0.5], [0.0, 1.0, 0.5, 0.5]])
    statistics = patch_statistics(image, patch_px=2)
    assert statistics.shape == (1, 4, 1, 2)
    mean, deviation, across, down = statistics[0, :, 0]
    assert torch.allclose(mean, torch.tensor([0.5, 0.5]))
    assert torch.allclose(deviation, torch.tensor([0.5, 0.0]), atol=1e-4)
    # The step from a patch to the next belongs to the left one.
    assert torch.allclose(across, torch.tensor([(1.0 + 0.5) / 2, 0.0]))
    assert torch.allclose(down, torch.tensor([0.0, 0.0]))


def test_grey_is_zero_and_nothing_was_learned():
    backbone = RGBStatistics()
    features = backbone(torch.full((2, 3, 28, 42), 0.4))
    assert torch.allclose(features[:, :3], torch.zeros(1), atol=1e-5)
    assert backbone.provenance == {"weights": {}, "supervision": (), "notes": ()}


def test_it_sees_colour_and_contrast():
    backbone = RGBStatistics()
    red = torch.zeros(1, 3, 14, 28)
    red[:, 0, :, :14] = 0.9
    left, right = backbone(red)[0, :, 0].unbind(dim=1)
    assert left[0] - right[0] > 4
    assert torch.equal(left[1:3], right[1:3])


class TestRGBStatistics(BackboneContract):
    @pytest.fixture
    def backbone(self):
        return RGBStatistics()
