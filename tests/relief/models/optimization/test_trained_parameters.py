import pytest
import torch
from torch import nn

from relief.models.optimization.freezing import FrozenBatchNorm
from relief.models.optimization.trained_parameters import AllParameters, NamedParameters
from relief.schema.errors import UsageError


def network():
    return nn.ModuleDict(
        {"body": nn.Linear(2, 3), "body_norm": nn.BatchNorm2d(3), "head": nn.Linear(3, 1)}
    )


def names(made, groups):
    by_id = {id(value): name for name, value in made.named_parameters()}
    return [[by_id[id(value)] for value in group["params"]] for group in groups]


def test_all_that_has_a_gradient_is_trained_and_norms_do_not_decay():
    made, trained = network(), AllParameters()
    made["body"].requires_grad_(False)
    trained.freeze(made)
    groups = trained.groups(made)
    assert names(made, groups) == [
        ["head.weight", "head.bias"], ["body_norm.weight", "body_norm.bias"],
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert isinstance(made["body_norm"], nn.BatchNorm2d)


def test_named_parts_are_trained_and_batch_norms_fixed():
    made, trained = network(), NamedParameters()
    trained.freeze(made)
    assert names(made, trained.groups(made)) == [["head.weight", "head.bias"], []]
    assert isinstance(made["body_norm"], FrozenBatchNorm)
    with pytest.raises(UsageError, match="nothing to train"):
        NamedParameters(trained=("neck",)).freeze(network())
