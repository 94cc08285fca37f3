import torch
import torch.nn.functional as F

from relief.models.codebooks.feature_samples import (
    key_generator,
    sample_features,
    samples_per_image,
)
from relief.ops.sliding_window import extract_windows, sliding_window_features


class Patches(torch.nn.Module):
    patch_px, dim = 4, 3

    def forward(self, image):
        return F.avg_pool2d(image, self.patch_px)


def test_every_image_gives_something_and_none_gives_much():
    assert samples_per_image(48, 2_000_000) == 2000
    assert samples_per_image(4000, 2_000_000) == 500
    assert samples_per_image(9, 4) == 1
    assert samples_per_image(0, 4) == 4


def test_a_key_draws_the_same_numbers_whatever_was_drawn_before():
    torch.manual_seed(3)
    first = torch.rand(4, generator=key_generator(0, "bonn/a"))
    torch.manual_seed(4)
    assert torch.equal(first, torch.rand(4, generator=key_generator(0, "bonn/a")))
    assert not torch.equal(first, torch.rand(4, generator=key_generator(0, "bonn/b")))
    assert not torch.equal(first, torch.rand(4, generator=key_generator(1, "bonn/a")))


def test_samples_are_rows_of_the_normalised_patch_grid_in_its_order():
    image = torch.rand(1, 3, 16, 32, generator=torch.Generator().manual_seed(0))
    windows = extract_windows(Patches(), image, 16, 8)
    dense = sliding_window_features(Patches(), image, 16, 8)
    grid = F.normalize(F.adaptive_avg_pool2d(dense, (4, 8))[0].flatten(1).T, dim=1)
    everything = sample_features(windows, 4, 100, key_generator(0, "a"))
    torch.testing.assert_close(everything, grid, rtol=0, atol=1e-6)
    some = sample_features(windows, 4, 5, key_generator(0, "a"))
    rows = [(everything - one).abs().sum(1).argmin().item() for one in some]
    assert rows == sorted(rows)
    assert len(set(rows)) == 5
