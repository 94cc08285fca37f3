from __future__ import annotations

import torch

from relief.ops.relative_depth import min_max, relative_at


def test_each_map_is_stretched_on_its_own():
    depth = torch.tensor([[[[1.0, 3.0], [5.0, 2.0]]], [[[0.0, 10.0], [20.0, 5.0]]]])
    expected = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]], [[[0.0, 0.5], [1.0, 0.25]]]])
    assert torch.equal(min_max(depth), expected)


def test_constant_map_is_zeros_in_both_directions():
    depth = torch.full((1, 1, 4, 4), 7.0)
    assert torch.equal(min_max(depth), torch.zeros(1, 1, 4, 4))
    assert torch.equal(relative_at(depth, (2, 2), inverse=True), torch.zeros(1, 1, 2, 2))


def test_inverse_is_one_minus_min_max():
    depth = torch.rand(2, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    plain = relative_at(depth, (6, 8))
    assert torch.allclose(relative_at(depth, (6, 8), inverse=True), 1 - plain, atol=1e-6)
    assert plain.amin() == 0
    assert plain.amax() == 1


def test_stretches_after_resizing():
    depth = torch.tensor([[[[0.0, 0.0, 0.0, 8.0]]]])
    resized = relative_at(depth, (1, 2))  # pixels 0.5 between two columns each: 0 and 4
    assert resized.tolist() == [[[[0.0, 1.0]]]]
