from __future__ import annotations

import pytest
import torch

from relief.models.depth.feature_unet import FeatureUNet


@pytest.fixture(scope="module")
def network() -> FeatureUNet:
    torch.manual_seed(0)
    return FeatureUNet((8, 12, 16, 24), (1, 2, 1, 1), (20, 16, 12, 8), 6).eval()


@pytest.mark.parametrize("size", [(64, 96), (96, 224)])
def test_features_have_half_the_images_size(network, size):
    assert network(torch.rand(2, 3, *size)).shape == (2, 6, size[0] // 2, size[1] // 2)


def test_sizes_are_read_off_a_state_dict(network):
    again = FeatureUNet.like(network.state_dict()).eval()
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(again(image), network(image))


def test_sides_that_do_not_halve_evenly_meet_their_skips(network):
    assert network(torch.rand(1, 3, 70, 90)).shape == (1, 6, 34, 44)


def test_a_state_dict_of_something_else_is_a_key_error():
    with pytest.raises(KeyError):
        FeatureUNet.like({"weight": torch.zeros(1)})
