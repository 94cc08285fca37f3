import pytest
import torch
import torch.nn.functional as F

from relief.models.backbones.cause_weights import random_like
from relief.models.heads.cause_head import CauseHead, QueryDecoder
from relief.schema.errors import WeightsError

WIDTH, HIDDEN, DIM, GRID = 12, 20, 5, 3


@pytest.fixture
def state_dict():
    named = {f"tr.{n}": t for n, t in QueryDecoder(WIDTH, HIDDEN, DIM).state_dict().items()}
    named["query_pos"] = torch.empty(GRID**2, WIDTH)
    drawn = random_like(named, seed=0)
    return {f"head_ema.{name}": tensor for name, tensor in drawn.items()}


@pytest.fixture
def head(state_dict):
    return CauseHead(state_dict, torch.randn(7, WIDTH, generator=torch.manual_seed(1))).eval()


def attention(query, key, value, parameters, name):
    """One head, written down."""
    weight, bias = parameters[f"{name}.in_proj_weight"], parameters[f"{name}.in_proj_bias"]
    q, k, v = (
        x @ w.T + b
        for x, w, b in zip((query, key, value), weight.chunk(3), bias.chunk(3), strict=True)
    )
    mixed = (q @ k.mT / WIDTH**0.5).softmax(-1) @ v
    return mixed @ parameters[f"{name}.out_proj.weight"].T + parameters[f"{name}.out_proj.bias"]


def test_the_head_in_words(head):
    tokens = torch.randn(2, GRID**2, WIDTH, generator=torch.manual_seed(2))
    p = head.tr.state_dict()
    nearest = [[F.cosine_similarity(t, head.codebook).argmax() for t in one] for one in tokens]
    query = torch.stack([torch.stack([head.codebook[i] for i in one]) for one in nearest])
    with torch.no_grad():
        at = query + head.query_pos
        query = F.layer_norm(query + attention(at, at, query, p, "self_attn"), (WIDTH,))
        at = query + head.query_pos
        query = F.layer_norm(query + attention(at, tokens, tokens, p, "multihead_attn"), (WIDTH,))
        forward = F.relu(query @ p["linear1.weight"].T + p["linear1.bias"])
        forward = forward @ p["linear2.weight"].T + p["linear2.bias"]
        residual = tokens + F.layer_norm(query + forward, (WIDTH,))
        expected = residual @ p["f1.weight"][..., 0, 0].T + p["f1.bias"]
        inner = F.relu(residual @ p["f2.0.weight"][..., 0, 0].T + p["f2.0.bias"])
        expected = expected + inner @ p["f2.2.weight"][..., 0, 0].T + p["f2.2.bias"]
        found = head(tokens, (GRID, GRID))
    torch.testing.assert_close(found, expected.mT.unflatten(2, (GRID, GRID)), atol=1e-5, rtol=0)


def test_positions_of_another_window_are_between_the_learned_ones(head):
    assert head.positions((GRID, GRID)) is head.query_pos
    wide = head.positions((GRID, 2 * GRID)).detach()
    assert wide.shape == (2 * GRID**2, WIDTH)
    low, high = head.query_pos.detach().aminmax()
    assert low <= wide.min() and wide.max() <= high


def test_a_codebook_of_the_file_is_not_taken(state_dict, head):
    state_dict["head_ema.codebook"] = torch.zeros(3, 3)
    again = CauseHead(state_dict, head.codebook)
    assert torch.equal(again.codebook, head.codebook)


def test_a_missing_tensor_is_named(state_dict):
    del state_dict["head_ema.query_pos"]
    with pytest.raises(WeightsError, match=r"segment_tr\.pth \(no head_ema\.query_pos\)"):
        CauseHead(state_dict, torch.zeros(7, WIDTH), "segment_tr.pth")
