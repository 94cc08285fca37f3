from __future__ import annotations

import copy

import pytest
import torch

from relief.models.criteria.own_losses import OwnLosses
from relief.models.criteria.target_statistics import TargetStatistics
from relief.models.segmenters.deeplab import DeepLabV2
from relief.models.segmenters.semantic_bodies import SmallBody
from relief.schema.errors import UsageError
from tests.contracts.network import drawn_batch


def batch():
    generator = torch.Generator().manual_seed(7)
    return {**drawn_batch(), "unlabelled": {"image": torch.rand(3, 3, 32, 40, generator=generator)}}


def trained(network, criterion, steps=3):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(criterion(network, batch(), None).values()).backward()
        optimizer.step()
    return network


def test_weights_are_those_without_it_and_statistics_a_mix_of_both_domains():
    torch.manual_seed(0)
    start = DeepLabV2(2, 3, SmallBody((4, 6, 8)), dilations=(1, 2)).train()
    alone = trained(copy.deepcopy(start), OwnLosses())
    both = trained(copy.deepcopy(start), TargetStatistics())
    for (name, expected), value in zip(alone.named_parameters(), both.parameters(), strict=True):
        assert torch.equal(value, expected), name
    moved = [
        name
        for name, value in both.named_buffers()
        if name.endswith("running_mean") and not torch.equal(value, alone.get_buffer(name))
    ]
    assert len(moved) == sum(name.endswith("running_mean") for name, _ in both.named_buffers())


def test_the_target_comes_last():
    norm = torch.nn.BatchNorm2d(1, affine=False).train()
    norm.logits = norm
    domains = iter((1.0, 3.0))

    def losses(network, given, moment):
        network.logits(torch.full((2, 1, 2, 2), next(domains)))
        return {}

    given = {"unlabelled": {"image": torch.full((2, 1, 2, 2), 3.0)}}
    TargetStatistics(losses)(norm, given, None)
    assert norm.running_mean.item() == pytest.approx(0.9 * 0.1 * 1 + 0.1 * 3)


def test_batches_of_one_domain_are_refused():
    network = DeepLabV2(2, 3, SmallBody((4, 6, 8)), dilations=(1,))
    with pytest.raises(UsageError, match="DomainPair"):
        TargetStatistics()(network, drawn_batch(), None)
