import torch

from relief.samples.features.handmade_whitening import fit_handmade


def test_shapes_and_repeatability():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 56, 84), generator=generator).to(torch.uint8)
    mean, directions, row_scale = fit_handmade(images)
    assert mean.shape == (12,)
    assert directions.shape == (12, 6)
    assert row_scale > 0
    again = fit_handmade(images)
    assert torch.equal(directions, again[1])
    assert not torch.equal(directions, fit_handmade(images, seed=1)[1])
