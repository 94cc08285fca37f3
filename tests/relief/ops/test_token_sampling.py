import torch

from relief.ops.token_sampling import draw_half_of_each_code, tile_tokens, tokens_per_image
from tests.relief.ops.test_cause_training import golden


def test_one_token_of_every_tile_as_published():
    order, tokens = golden("sampling/order"), golden("sampling/tokens")
    picked = tile_tokens(order.view(2, -1), (13, 13))
    assert torch.equal(picked, golden("sampling/token_indices"))
    taken = torch.stack([image[at] for image, at in zip(tokens, picked, strict=True)])
    assert torch.equal(taken.double(), golden("sampling/sampled"))


def test_oblong_grids_and_those_smaller_than_a_tile():
    assert tokens_per_image((5, 9)) == 2
    assert tile_tokens(torch.tensor([[0, 15]]), (5, 9)).tolist() == [[0, 3 * 9 + 7]]
    assert tokens_per_image((3, 9)) == 0
    assert tile_tokens(torch.zeros(2, 0, dtype=torch.int64), (3, 9)).shape == (2, 0)


def test_half_of_the_tokens_of_every_code_are_drawn():
    codes = torch.tensor([[5, 2, 5, 5], [2, 9, 5, 5]])
    drawn = [draw_half_of_each_code(codes) for _ in range(20)]
    assert {tuple(codes.flatten()[kept].tolist()) for kept in drawn} == {(2, 5, 5)}
    assert all(len(set(kept.tolist())) == 3 for kept in drawn)
    assert {int(at) for kept in drawn for at in kept} == {0, 1, 2, 3, 4, 6, 7}  # never the 9
    assert draw_half_of_each_code(torch.tensor([3])).tolist() == []
