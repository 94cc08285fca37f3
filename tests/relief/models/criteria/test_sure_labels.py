import pytest
import torch
from torch import nn

from relief.models.criteria.sure_labels import SureLabels, confidence_of
from relief.schema.errors import UsageError


class Told(nn.Module):
    """Its losses count what it is given to learn."""

    def forward(self, batch, moment):
        return {
            "loss_pixels": (batch["semantic"] >= 0).sum(),
            "loss_objects": torch.tensor(sum(map(len, batch["classes"]))),
        }


def batch():
    return {
        "image": torch.zeros(1, 3, 2, 4),
        "semantic": torch.tensor([[[0, 0, 0, 0], [1, 1, 2, 2]]]),
        "instance": torch.tensor([[[1, 1, 2, 2], [0, 0, 0, 0]]]),
        "classes": [torch.tensor([3, 5])],
        "key": ["a"],
        "confidence": torch.tensor([[[0.1, 0.5, 0.9, 0.7], [0.2, 1.0, 1.0, 1.0]]]),
    }


def test_unsure_objects_are_none_and_their_pixels_are_ignored():
    surest = SureLabels(objects_above=0.4).surest(batch())
    assert surest["instance"].tolist() == [[[0, 0, 1, 1], [0, 0, 0, 0]]]
    assert surest["classes"][0].tolist() == [5]
    assert surest["semantic"].tolist() == [[[-1, -1, 0, 0], [1, 1, 2, 2]]]


def test_unsure_pixels_are_ignored_in_objects_too():
    surest = SureLabels(pixels_above=0.3).surest(batch())
    assert surest["instance"].tolist() == [[[0, 1, 2, 2], [0, 0, 0, 0]]]
    assert surest["semantic"].tolist() == [[[-1, 0, 0, 0], [-1, 1, 2, 2]]]


def test_the_network_learns_the_rest_and_everything_at_level_0():
    losses = SureLabels(pixels_above=0.3, objects_above=0.4)(Told(), batch(), None)
    assert [int(value) for value in losses.values()] == [5, 1]
    every = SureLabels()(Told(), batch(), None)
    assert [int(value) for value in every.values()] == [8, 2]


def test_labels_that_do_not_say_and_levels_beyond_1_are_refused():
    silent = batch()
    del silent["confidence"]
    with pytest.raises(UsageError, match=r"^the training asks how sure labels are"):
        confidence_of(silent)
    with pytest.raises(UsageError, match=r"objects_above=1\.5"):
        SureLabels(objects_above=1.5)
