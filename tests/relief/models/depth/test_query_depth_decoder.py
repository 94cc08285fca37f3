from __future__ import annotations

import pytest
import torch

from relief.models.depth.query_depth_decoder import QueryDepthDecoder


@pytest.fixture(scope="module")
def decoder() -> QueryDepthDecoder:
    torch.manual_seed(0)
    return QueryDepthDecoder(
        dim=8, num_queries=6, num_bins=10, patch_size=4, num_heads=2, max_tokens=40
    ).eval()


def test_depth_lies_between_the_bins_ends_at_the_features_size(decoder):
    depth_m = decoder(torch.randn(2, 8, 16, 32))
    assert depth_m.shape == (2, 1, 16, 32)
    assert depth_m.min() >= 0.01
    assert depth_m.max() <= 80.0


def test_bins_fill_the_range_and_none_vanishes(decoder):
    raw = torch.tensor([[-5.0, -5.0, 0.9, -5.0]])  # widths 0.1, 0.1, 1.0, 0.1 of 1.3
    edges_m = 0.01 + (80 - 0.01) * torch.tensor([0, 0.1, 0.2, 1.2, 1.3]) / 1.3
    expected = (edges_m[:-1] + edges_m[1:]) / 2
    assert torch.allclose(decoder._bin_centers_m(raw)[0], expected)


def test_sizes_are_read_off_a_state_dict(decoder):
    again = QueryDepthDecoder.like(
        decoder.state_dict(), num_heads=2, min_depth_m=0.01, max_depth_m=80.0
    ).eval()
    again.load_state_dict(decoder.state_dict())
    features = torch.randn(1, 8, 16, 32)
    assert torch.equal(again(features), decoder(features))


@pytest.mark.parametrize("size", [(4, 8), (64, 64)])
def test_too_few_or_too_many_tokens_are_refused(decoder, size):
    with pytest.raises(ValueError, match="6 to 40 tokens"):
        decoder(torch.zeros(1, 8, *size))
