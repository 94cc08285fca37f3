import pytest
import torch

from relief.models.backbones.handmade import HandmadeRGB, save_whitening
from relief.models.weights.files import sha256_of
from relief.schema.errors import WeightsError
from relief.schema.parts import Backbone
from tests.contracts.backbone import BackboneContract


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "whitening.safetensors"
    directions = torch.eye(12)[:, :2] * torch.tensor([1.0, 3.0])
    save_whitening(path, torch.full((12,), 0.5), directions, torch.tensor(2.0))
    return str(path)


def test_whitened_statistics_their_surroundings_and_the_row(weights):
    backbone = HandmadeRGB(weights)
    backbone.setup()
    assert isinstance(backbone, Backbone)
    image = torch.rand(2, 3, 42, 70, generator=torch.Generator().manual_seed(0))
    features = backbone(image)
    assert features.shape == (2, backbone.dim, 3, 5)
    assert backbone.dim == 7
    statistics = backbone.statistics(image)
    assert torch.allclose(features[:, 0], statistics[:, 0] - 0.5)
    assert torch.allclose(features[:, 1], 3 * (statistics[:, 1] - 0.5))
    middle = features[:, 0, :, 1:4].mean(dim=(1, 2))
    assert torch.allclose(features[:, 2, 1, 2], 0.7 * middle)
    assert torch.equal(features[0, 6, :, 0], torch.tensor([-2.0, 0.0, 2.0]))


def test_setup_is_needed_once_and_says_what_is_missing(weights, tmp_path):
    backbone = HandmadeRGB(weights)
    backbone.setup()
    backbone.setup()
    assert backbone.provenance["weights"] == {"features": sha256_of(weights)}
    with pytest.raises(WeightsError, match=r"no weights: HandmadeRGB\. Give"):
        HandmadeRGB().setup()
    with pytest.raises(WeightsError, match="no such file"):
        HandmadeRGB(str(tmp_path / "none.safetensors")).setup()


class TestHandmadeRGB(BackboneContract):
    @pytest.fixture
    def backbone(self, weights):
        return HandmadeRGB(weights)
