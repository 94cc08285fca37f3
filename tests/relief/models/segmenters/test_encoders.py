import pytest
import torch

from relief.models.segmenters.encoders import SmallEncoder, TimmEncoder
from relief.schema.errors import UsageError, WeightsError


def test_maps_are_at_rising_strides():
    encoder = SmallEncoder((8, 16, 24))
    maps = encoder(torch.rand(2, 3, 30, 52))
    assert [tuple(m.shape) for m in maps] == [(2, 8, 15, 26), (2, 16, 8, 13), (2, 24, 4, 7)]
    assert encoder.channels == (8, 16, 24)


def test_a_network_of_timm_takes_the_weights_of_its_classifier(tmp_path):
    torch.manual_seed(0)
    drawn = TimmEncoder("resnet18")
    file = tmp_path / "resnet18.pth"
    torch.save({**drawn.body.state_dict(), "fc.weight": torch.zeros(2, 2)}, file)
    torch.manual_seed(1)
    loaded = TimmEncoder("resnet18", file)
    loaded.setup()
    image = torch.rand(1, 3, 64, 96)
    maps = loaded.eval()(image)
    assert [m.shape[1] for m in maps] == list(loaded.channels) == [64, 64, 128, 256, 512]
    assert [m.shape[-1] for m in maps] == [48, 24, 12, 6, 3]
    assert all(map(torch.equal, maps, drawn.eval()(image)))


def test_other_weights_and_unknown_names_are_told(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError):
        TimmEncoder("resnet18", tmp_path / "other.pth").setup()
    with pytest.raises(UsageError, match="resnet0"):
        TimmEncoder("resnet0")
