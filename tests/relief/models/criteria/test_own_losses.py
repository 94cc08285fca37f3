import torch
from torch import nn

from relief.models.criteria.own_losses import OwnLosses
from relief.schema.training import TrainingMoment


class Halfway(nn.Module):
    """Its loss falls while the training goes on."""

    def forward(self, batch, moment):
        return {"loss": batch["image"].mean() * (1 - moment.step / moment.total)}


def test_the_network_is_asked_for_its_losses_at_that_moment():
    moment = TrainingMoment(step=3, predict=lambda image: None, total=4)
    losses = OwnLosses()(Halfway(), {"image": torch.full((1, 3, 2, 2), 2.0)}, moment)
    assert {name: float(value) for name, value in losses.items()} == {"loss": 0.5}
