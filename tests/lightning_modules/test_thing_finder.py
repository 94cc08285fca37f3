import torch
from torch import nn

from lightning_modules.thing_finder import ThingFinder
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import ThingRule
from relief.schema.geometry import WindowGeometry


def test_ground_truth_of_another_resolution_votes():
    codebook = Codebook(3)
    codebook.set_centroids(torch.eye(3))
    finder = ThingFinder(
        ThingRule(), nn.Identity(), codebook, WindowGeometry(), oracle_classes="cityscapes19"
    )
    finder._vote(torch.tensor([[0, 0, 1, 1], [0, 0, 2, 2]]), torch.tensor([[7, 13]]))
    expected = torch.zeros(3, 19, dtype=torch.int64)
    expected[0, 7] = expected[2, 13] = 1
    assert torch.equal(finder._votes, expected)
