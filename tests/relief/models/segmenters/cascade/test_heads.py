import torch
from torch.nn import functional as F

from relief.models.segmenters.cascade.heads import drop_loss


def test_the_loss_is_the_mean_over_all_proposals():
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, -1.0]])
    classes = torch.tensor([1, 1, 0])
    each = F.cross_entropy(scores, classes, reduction="none")
    counted = torch.tensor([True, False, True])
    assert torch.allclose(drop_loss(scores, classes, counted), (each[0] + each[2]) / 3)
    everything = torch.ones(3, dtype=torch.bool)
    assert torch.allclose(drop_loss(scores, classes, everything), F.cross_entropy(scores, classes))


def test_no_proposals_cost_nothing():
    none = torch.zeros(0, dtype=torch.bool)
    assert drop_loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), none) == 0
