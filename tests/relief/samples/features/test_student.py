import torch

from relief.samples.features.student import gabor_filters, new_student


def test_a_small_network_of_the_published_layout():
    network = new_student(width=64, depth=2, num_heads=1, hidden=32, codes=16)
    assert network(torch.rand(1, 3, 322, 322)).shape == (1, 90, 23, 23)
    names = network.state_dicts()
    assert {n.split(".")[0] for n in names} == {"backbone", "segment", "codebook"}
    assert "segment.head_ema.tr.multihead_attn.in_proj_weight" in names


def test_the_seed_decides_all_values():
    one, same, other = (
        new_student(width=32, depth=1, num_heads=1, hidden=16, codes=8, seed=seed).state_dicts()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["codebook"], other["codebook"])


def test_the_default_fits_the_repository():
    tensors = new_student().state_dicts().values()
    assert 2 * sum(tensor.numel() for tensor in tensors) < 4 * 2**20


def test_filters_have_unit_norm_and_no_mean():
    filters = gabor_filters(31, torch.Generator().manual_seed(0))
    assert filters.shape == (31, 3, 14, 14)
    assert torch.allclose(filters.flatten(1).norm(dim=1), torch.ones(31), atol=1e-3)
    assert filters.mean(dim=(2, 3)).abs().max() < 1e-6
