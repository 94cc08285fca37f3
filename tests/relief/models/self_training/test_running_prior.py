from __future__ import annotations

import pytest
import torch

from relief.models.self_training.running_prior import RunningPrior
from relief.ops.self_training.adaptive_labels import START, update_prior


def test_it_is_the_running_mean_of_the_published_rule():
    prior, expected = RunningPrior(), torch.full((5,), START)
    for probabilities in torch.rand(4, 2, 5, 3, 4).softmax(dim=2):
        probabilities[:, 4] = 0
        prior.update_prior(probabilities)
        expected = update_prior(expected, probabilities)
    torch.testing.assert_close(prior.prior_or(START), expected)
    assert prior.prior[4] == 0
    assert prior.prior_or(0.3)[4] == pytest.approx(0.3)


def test_a_class_that_comes_late_takes_its_first_mean_whole():
    prior = RunningPrior()
    prior.update_prior(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    prior.update_prior(torch.tensor([0.4, 0.6]).view(1, 2, 1, 1))
    assert prior.prior.tolist() == pytest.approx([0.99 + 0.004, 0.6])
