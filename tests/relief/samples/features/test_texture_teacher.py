import torch

from relief.samples.features.texture_teacher import strongest_directions, texture_targets


def test_targets_tell_textures_apart_whatever_their_colour():
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(140), torch.arange(196), indexing="ij")
    noise = torch.rand(6, 1, 140, 196, generator=generator)
    left = (x % 6 < 3).float() + 0.3 * noise
    right = (y % 10 < 5).float() + 0.3 * noise
    shade = torch.where(x < 98, left, right) / 1.3
    colour = 0.3 + 0.7 * torch.rand(6, 3, 1, 1, generator=generator)
    images = (shade * colour * 200 + 20).to(torch.uint8)
    targets = texture_targets(images, generator, dim=12, whitened_dim=6, row_weight=0.0)
    assert targets.shape == (6, 12, 10, 14)
    assert torch.allclose(targets.norm(dim=1), torch.ones(6, 10, 14), atol=1e-4)
    stripes, bars = targets[:, :, :, 1:5], targets[:, :, :, 9:13]
    mean_of_stripes = stripes.mean(dim=(0, 2, 3))
    own = torch.einsum("nchw,c->nhw", stripes, mean_of_stripes)
    others = torch.einsum("nchw,c->nhw", bars, mean_of_stripes)
    assert own.min() > others.max()


def test_strongest_directions_keep_most_of_the_variance():
    features = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    features[:, 3] *= 10
    rotated = strongest_directions(features, 2)
    assert rotated.shape == (2, 2, 8, 8)
    assert torch.allclose(rotated.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-4)
    assert rotated[:, 0].var() > 0.9 * features[:, 3].var()
