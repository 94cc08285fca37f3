from pathlib import Path

import numpy as np
import pytest
import torch

from relief.ops.cause_training import (
    CodeBank,
    code_contrast_loss,
    ema_update,
    modularity_loss,
    nearest_codes,
)

PATH = Path(__file__).parents[2] / "golden" / "cause_training.npz"


def golden(name):
    with np.load(PATH, allow_pickle=False) as file:
        return torch.from_numpy(np.asarray(file[name]))


def bank_of(codes, projections, capacity=100):
    bank = CodeBank(capacity)
    bank.add(codes, projections, torch.arange(len(codes)))
    return bank


@pytest.mark.parametrize(
    "tokens, codebook, loss, grad, temperature",
    [
        ("modularity/tokens", "modularity/codebook", "modularity/loss", "modularity/grad", 0.1),
        (
            "modularity/tokens",
            "modularity/codebook",
            "modularity/loss_at_0.5",
            "modularity/grad_at_0.5",
            0.5,
        ),
        (
            "modularity/tokens",
            "modularity_initial/codebook",
            "modularity_initial/loss",
            "modularity_initial/grad",
            0.1,
        ),
        (
            "cluster_probe/features",
            "cluster_probe/probe",
            "cluster_probe/modularity_loss",
            "cluster_probe/modularity_grad",
            0.1,
        ),
    ],
)
def test_modularity_is_the_published_one(tokens, codebook, loss, grad, temperature):
    given = golden(tokens).double().requires_grad_()
    codes = golden(codebook).double().requires_grad_()
    found = modularity_loss(given, codes, temperature)
    found.backward()
    assert found.item() == pytest.approx(float(golden(loss)), rel=1e-9)
    torch.testing.assert_close(codes.grad, golden(grad), atol=1e-9, rtol=0)
    assert given.grad is None
    short = modularity_loss(golden(tokens).float(), golden(codebook).float(), temperature)
    assert short.dtype == torch.float32
    assert short.item() == pytest.approx(float(golden(loss)), abs=1e-4)


def test_more_codes_than_are_looked_at_at_once_change_nothing():
    tokens, codebook = golden("modularity/tokens"), golden("modularity/codebook")
    many = torch.cat((codebook, -codebook.repeat(9, 1)))  # the others are alike to nothing
    together = modularity_loss(tokens, torch.cat((many, codebook)))
    assert together.item() == pytest.approx(
        modularity_loss(tokens, torch.cat((codebook, -codebook))).item(), rel=1e-9
    )


def test_an_image_without_any_alike_tokens_counts_as_nothing():
    apart = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]], dtype=torch.float64)
    codebook = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    loss = modularity_loss(apart, codebook)
    loss.backward()
    assert loss.item() == 0
    assert not codebook.grad.any()
    tokens = torch.rand(1, 2, 2, dtype=torch.float64)
    both = modularity_loss(torch.cat((tokens, apart)), codebook)
    assert both.item() == pytest.approx(modularity_loss(tokens, codebook).item() / 2)


def test_codes_are_nearest_by_cosine():
    found = nearest_codes(golden("quantise/tokens"), golden("quantise/codebook"))
    assert torch.equal(found, golden("quantise/indices"))
    scaled = golden("quantise/codebook") * torch.arange(1, 17)[:, None]
    assert torch.equal(nearest_codes(golden("quantise/tokens"), scaled), found)


@pytest.mark.parametrize(
    "name, with_bank, numbers",
    [
        ("contrastive", True, (0.07, 0.3, 0.1)),
        ("contrastive_no_bank", False, (0.07, 0.3, 0.1)),
        ("contrastive_other", True, (0.2, 0.5, 0.2)),
    ],
)
def test_contrast_is_the_published_one(name, with_bank, numbers):
    student = golden("contrastive/student").double().requires_grad_()
    teacher = golden("contrastive/teacher").double().requires_grad_()
    tokens, codebook = golden("contrastive/tokens"), golden("contrastive/codebook")
    bank = None
    if with_bank:
        bank = bank_of(golden("contrastive/bank_codes"), golden("contrastive/bank_projections"))
    loss = code_contrast_loss(student, teacher, tokens, codebook, bank, *numbers)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden(f"{name}/loss")), rel=1e-9)
    torch.testing.assert_close(student.grad, golden(f"{name}/grad"), atol=1e-9, rtol=0)
    assert teacher.grad is None
    empty = code_contrast_loss(student, teacher, tokens, codebook, CodeBank(5), *numbers)
    none = code_contrast_loss(student, teacher, tokens, codebook, None, *numbers)
    assert torch.equal(empty, none)


def test_terms_without_a_positive_pair_are_left_out():
    """The published mean of nothing is nan, and the teacher moves all the same."""
    codebook = torch.eye(4, dtype=torch.float64)
    alone = codebook[None]  # four tokens of four codes: no two are alike
    student = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(1, 4, 6, dtype=torch.float64)
    loss = code_contrast_loss(student, teacher, alone, codebook)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()
    bank = bank_of(torch.tensor([2]), torch.randn(1, 6, dtype=torch.float64))
    assert code_contrast_loss(student, teacher, alone, codebook, bank).item() == 0  # its only key
    bank = bank_of(torch.tensor([2, 3]), torch.randn(2, 6, dtype=torch.float64))
    assert code_contrast_loss(student, teacher, alone, codebook, bank).item() > 0


def test_the_bank_keeps_the_newest_rows_of_each_code():
    bank = CodeBank(int(golden("bank/capacity")))
    assert len(bank.codes) == 0
    before = golden("bank/before_codes")
    bank.add(before, golden("bank/before_rows"), torch.arange(len(before)))
    torch.testing.assert_close(bank.projections, golden("bank/before_rows"))
    teacher = golden("bank/teacher").requires_grad_()
    bank.add(golden("bank/indices"), teacher, golden("bank/kept"))
    assert torch.equal(bank.codes, golden("bank/after_codes"))
    torch.testing.assert_close(bank.projections, golden("bank/after_rows").float())
    assert not bank.projections.requires_grad


def test_the_bank_appends_in_the_order_given():
    bank = CodeBank(2)
    rows = torch.arange(4.0)[:, None]
    bank.add(torch.tensor([7, 7, 1, 7]), rows, torch.tensor([3, 0, 1, 2]))
    assert bank.codes.tolist() == [1, 7, 7]
    assert bank.projections.flatten().tolist() == [2, 0, 1]


def test_the_teacher_follows_by_name():
    names = ("a.weight", "a.bias", "norm.weight", "norm.bias", "f.weight", "f.bias")
    student = {name: golden(f"ema/student/{name}").double() for name in names}
    teacher = {name: golden(f"ema/teacher/{name}").double() for name in names}
    before = {name: tensor.clone() for name, tensor in student.items()}
    for step in (1, 2, 3):
        teacher = ema_update({**student, "other": torch.zeros(1)}, teacher, 0.99)
        if step in (1, 3):
            for name in names:
                torch.testing.assert_close(
                    teacher[name], golden(f"ema/after_{step}/{name}"), atol=1e-9, rtol=1e-9
                )
    assert all(torch.equal(student[name], before[name]) for name in names)
