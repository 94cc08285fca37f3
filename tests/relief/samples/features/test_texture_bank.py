import math

import pytest
import torch

from relief.samples.features.texture_bank import TextureBank, blur, gabor_pair, read_at_patches


def waves(wavelength_px, angle=0.0, height=140, width=182):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    shade = 0.5 + 0.15 * torch.sin(2 * math.pi * along / wavelength_px)
    return shade.expand(1, 3, height, width)


def inner(features):
    return features[0, :, 3:-3, 3:-3]


@pytest.fixture(scope="module")
def bank():
    return TextureBank()


def test_shape(bank):
    assert bank(torch.rand(2, 3, 140, 182)).shape == (2, 40, 10, 13)


def test_colour_and_light_change_little(bank):
    grey = waves(6.0)
    tinted = grey * torch.tensor([0.9, 0.5, 0.7]).view(1, 3, 1, 1)
    textures = {"grey": inner(bank(grey)), "tinted": inner(bank(tinted))}
    other = inner(bank(waves(11.0)))
    same = (textures["grey"] - textures["tinted"]).norm()
    assert same < 0.2 * (textures["grey"] - other).norm()


def test_mirrored_directions_are_one(bank):
    image = waves(6.0, math.pi / 8) + 0.02 * torch.rand(1, 3, 140, 182)
    straight = bank(image)
    mirrored = bank(image.flip(-1)).flip(-1)
    torch.testing.assert_close(
        mirrored[0, 4:, 2:-2, 2:-2], straight[0, 4:, 2:-2, 2:-2], atol=0.25, rtol=0
    )
    upright = bank(waves(6.0, math.pi / 2))
    assert (inner(upright) - inner(straight)).abs().max() > 2


def test_a_gabor_pair_answers_its_own_wave():
    pair = gabor_pair(4.0, 0.0)
    assert pair.shape == (2, 13, 13)
    assert torch.isclose(pair.norm(), torch.tensor(1.0))
    assert pair.sum(dim=(1, 2)).abs().max() < 1e-5
    answers = [
        torch.nn.functional.conv2d(waves(length)[:, :1], pair[:, None]).square().sum(1).mean()
        for length in (4.0, 9.0)
    ]
    assert answers[0] > 10 * answers[1]


def test_blur_keeps_constants_and_the_mean():
    assert torch.allclose(blur(torch.full((1, 2, 30, 30), 3.0), 2.0), torch.tensor(3.0))
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1.0
    spread = blur(point, 3.0)[0, 0]
    assert torch.isclose(spread.sum(), torch.tensor(1.0), atol=1e-5)
    place = torch.arange(41) - 20.0
    assert torch.isclose((spread.sum(0) * place**2).sum(), torch.tensor(9.0), atol=0.3)


def test_values_are_read_at_the_centres_of_patches():
    row = torch.arange(28.0).expand(1, 1, 28, 28)
    assert torch.allclose(read_at_patches(row, (2, 2))[0, 0, 0], torch.tensor([6.5, 20.5]))
