import torch

from relief.ops.embeddings.morphology import smoothed


def test_noise_and_bridges_go_and_gaps_are_filled_within_the_region():
    instance = torch.zeros(12, 24, dtype=torch.int64)
    instance[1:11, 1:9], instance[1:11, 14:22] = 1, 2
    instance[5, 9:12] = 1  # a bridge one pixel wide
    instance[5, 4] = 2  # a stray of the other one
    instance[0, 23] = 2  # noise
    instance[1:11, 17] = 0  # a gap that cuts one in two
    inside = torch.ones_like(instance, dtype=torch.bool)
    inside[3, 17] = False
    found = smoothed(instance, inside)
    expected = torch.zeros_like(instance)
    expected[1:11, 1:9], expected[1:11, 14:22] = 1, 2
    expected[3, 17] = 0
    assert torch.equal(found, expected)


def test_neighbours_keep_their_own_pixels_and_small_ones_vanish():
    instance = torch.ones(8, 16, dtype=torch.int64)
    instance[:, 8:] = 2
    instance[4, 4] = 3
    found = smoothed(instance, torch.ones_like(instance, dtype=torch.bool))
    expected = torch.ones_like(instance)
    expected[:, 8:] = 2
    assert torch.equal(found, expected)
    nothing = torch.zeros_like(instance)
    assert torch.equal(smoothed(nothing, nothing.bool()), nothing)
