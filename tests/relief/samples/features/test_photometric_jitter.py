import torch

from relief.samples.features.photometric_jitter import photometric_jitter


def test_the_same_generator_draws_the_same_light():
    image = torch.rand(2, 3, 8, 8)
    one, other = (photometric_jitter(image, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == image.shape
    assert one.min() >= 0
    assert one.max() <= 1


def test_every_image_of_a_batch_draws_its_own():
    image = torch.full((2, 3, 8, 8), 0.5)
    first, second = photometric_jitter(image, torch.Generator().manual_seed(0))
    assert (first.mean((1, 2)) - second.mean((1, 2))).abs().max() > 0.02


def test_order_of_shades_within_a_channel_stays():
    ramp = torch.linspace(0.1, 0.6, 32).expand(1, 3, 4, 32)
    light = photometric_jitter(ramp, torch.Generator().manual_seed(3))[0].mean(dim=1)
    assert (light[:, 16:].mean(dim=1) > light[:, :16].mean(dim=1)).all()


def test_without_strength_only_noise_is_left():
    image = torch.full((1, 3, 64, 64), 0.4)
    light = photometric_jitter(image, torch.Generator().manual_seed(0), strength=0.0)
    assert (light - image).abs().max() < 0.1
    assert (light - image).mean().abs() < 1e-3
