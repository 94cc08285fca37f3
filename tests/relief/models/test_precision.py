import torch
from torch import nn

from relief.models.precision import run_in


class Product(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, image):
        values = self.layer(image)
        self.computed_in = values.dtype
        return values


def test_a_network_computes_in_bfloat16_and_gives_float32_until_told_otherwise():
    torch.manual_seed(0)
    network, image = Product(), torch.rand(2, 8)
    exact = network(image)
    for _ in range(2):
        run_in(network, "bfloat16")
        rounded = network(image)
        assert network.computed_in == torch.bfloat16
        assert rounded.dtype == torch.float32
        assert 0 < (rounded - exact).abs().max() < 0.02
        product = image @ image.T
        assert product.dtype == torch.float32  # nothing but the network is reached
        run_in(network, "float32")
        assert torch.equal(network(image), exact)
        assert network.computed_in == torch.float32
