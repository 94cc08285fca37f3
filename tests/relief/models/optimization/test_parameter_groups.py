from torch import nn

from relief.models.optimization.parameter_groups import decay_groups


def test_normalisation_layers_do_not_decay():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm(4)
    )
    network[2].requires_grad_(requires_grad=False)
    others, norms = decay_groups(network)
    assert others == {"params": list(network[0].parameters())}
    assert norms["weight_decay"] == 0
    assert norms["params"] == [*network[1].parameters(), *network[3].parameters()]
