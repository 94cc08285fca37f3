import torch
from torch import nn

from relief.models.depth.sources import depth_at


class HalfDepth(nn.Module):
    def setup(self):
        pass

    def relative_depth(self, image, size):
        return torch.full((len(image), 1, *size), 0.5)


def test_a_network_goes_before_what_was_read():
    read = torch.zeros(1, 1, 4, 4)
    depth = depth_at(HalfDepth(), torch.rand(3, 8, 8), read, (2, 2))
    assert depth.tolist() == [[[[0.5, 0.5], [0.5, 0.5]]]]


def test_what_was_read_is_resized():
    read = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    assert depth_at(None, torch.rand(3, 8, 8), read, (1, 1)).item() == 0.5


def test_no_depth_is_none():
    assert depth_at(None, torch.rand(3, 8, 8), None, (2, 2)) is None
