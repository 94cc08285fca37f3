import dataclasses

import numpy as np
import pytest
import torch

from relief.models.heads.cause_head import QueryHead
from relief.models.heads.head_learner import HeadLearner, HeadSettings
from relief.models.heads.mlp_head import MLPHead
from relief.ops.token_sampling import tile_tokens
from tests.relief.ops.test_cause_training import PATH, golden

SETTINGS = HeadSettings(codes=12, projection_dim=24)
GRID = (13, 13)


def query_head(width, codes):
    return QueryHead(width, codes, dim=8, hidden=32, grid=13, dropout=0.0)


def mlp_head(width, codes):
    return MLPHead(width, codes, dim=8)


def names_below(prefix):
    with np.load(PATH) as file:
        return [name.removeprefix(prefix) for name in file.files if name.startswith(prefix)]


@pytest.fixture
def published():
    """The learner of the reference values, as it was before their steps."""
    learner = HeadLearner(16, query_head, SETTINGS).double()
    names = names_below("head_steps/before/")
    state = {name: golden(f"head_steps/before/{name}").double() for name in names}
    for projected in (learner.student, learner.teacher):
        projected.load_state_dict({**state, "head.codebook": torch.zeros(12, 16)})
    return learner


def test_the_codebook_learns_as_published():
    learner = HeadLearner(16, query_head, SETTINGS).double()
    with torch.no_grad():
        learner.codebook.copy_(golden("codebook_steps/codebook"))
    rate = float(golden("codebook_steps/learning_rate"))
    optimizer = torch.optim.Adam([learner.codebook], lr=rate)
    losses = []
    steps = zip(
        golden("codebook_steps/tokens"), golden("codebook_steps/token_indices"), strict=True
    )
    for tokens, picked in steps:
        loss = learner.codebook_loss(tokens.double(), picked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == pytest.approx(golden("codebook_steps/losses").tolist(), abs=1e-9)
    after = golden("codebook_steps/codebook_after")
    torch.testing.assert_close(learner.codebook.detach(), after, atol=1e-9, rtol=0)


def test_the_head_learns_as_published(published):
    with torch.no_grad():
        published.codebook.copy_(golden("head_steps/codebook"))
    published.freeze_codebook()
    rate = float(golden("head_steps/learning_rate"))
    optimizer = torch.optim.Adam(published.trained()["heads"], lr=rate)
    losses, norms, sizes = [], [], []
    for step in range(4):
        tokens = golden("head_steps/tokens")[step].double()
        picked = golden("head_steps/token_indices")[step]
        sizes.append(len(published.bank.codes))
        loss, codes, taught, _ = published.contrast_loss(tokens, GRID, picked)
        published.bank.add(codes, taught, golden(f"head_steps/kept_{step}"))
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(published.student.parameters(), 1.0).item())
        optimizer.step()
        published.follow(step + 1)
        losses.append(loss.item())
    assert losses == pytest.approx(golden("head_steps/losses").tolist(), rel=1e-9)
    assert norms == pytest.approx(golden("head_steps/grad_norms").tolist(), rel=1e-8)
    assert sizes == golden("head_steps/bank_sizes").tolist()
    tensors = published.tensors()
    for name, tensor in tensors.items():
        if name != "codebook":
            after = golden(f"head_steps/after/{name}")
            torch.testing.assert_close(tensor, after, atol=1e-9, rtol=0, msg=name)
    assert sorted(tensors) == sorted(["codebook", *names_below("head_steps/after/")])


def test_only_what_learns_gets_a_gradient():
    learner, tokens = HeadLearner(6, mlp_head, SETTINGS), torch.randn(2, 16, 6)
    picked = tile_tokens(torch.tensor([[3], [7]]), (4, 4))
    learner.codebook_loss(tokens, picked).backward()
    assert all(p.grad is None for p in learner.student.parameters())
    learner.zero_grad()
    learner.freeze_codebook()
    learner.contrast_loss(tokens, (4, 4), picked)[0].backward()
    assert learner.codebook.grad is None
    assert all(p.grad is None for p in learner.teacher.parameters())
    assert all(p.grad is not None for p in learner.student.parameters())


def test_a_probe_learns_beside_the_head_and_changes_nothing_of_it():
    tokens, picked = torch.randn(2, 64, 6), torch.tensor([[1, 9, 30], [7, 12, 50]])
    learners = {}
    for clusters in (None, 3):
        torch.manual_seed(0)
        settings = dataclasses.replace(SETTINGS, probe=clusters)
        learners[clusters] = HeadLearner(6, mlp_head, settings)
        learners[clusters].freeze_codebook()
    without, learner = learners.values()
    found = []
    for one in (without, learner):
        torch.manual_seed(1)
        found.append(one.contrast_loss(tokens, (8, 8), picked))
    assert torch.equal(found[0].loss, found[1].loss)
    assert found[0].probe_loss is None
    found[1].probe_loss.backward()
    assert learner.probe.grad.abs().sum() > 0
    assert all(p.grad is None for p in [learner.codebook, *learner.student.parameters()])
    head, with_probe = without.tensors(), learner.tensors()
    assert with_probe.pop("cluster_probe").shape == (3, 8)
    assert all(torch.equal(head[name], tensor) for name, tensor in with_probe.items())
    assert list(learner.trained()) == ["codebook", "heads", "probe"]


def test_the_bank_travels_with_the_weights():
    learner, again = (HeadLearner(6, mlp_head, SETTINGS) for _ in range(2))
    learner.bank.add(torch.tensor([4, 1]), torch.randn(2, 24), torch.tensor([0, 1]))
    again.load_state_dict(learner.state_dict())
    assert again.bank.codes.tolist() == [1, 4]
    assert torch.equal(again.bank.projections, learner.bank.projections)
