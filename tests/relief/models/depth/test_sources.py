import pytest
import torch
from torch import nn

from relief.models.depth.sources import depth_at
from relief.ops.relative_depth import relative_at
from relief.schema.errors import ReadError


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


class OneOverDisparity(nn.Module):
    def __init__(self, sky):
        super().__init__()
        self.sky = sky

    def relative_depth(self, image, size):
        disparity = 0.2 + image.mean(dim=1, keepdim=True)
        disparity[..., 0, 0] = self.sky
        return relative_at(1 / disparity, size)


@pytest.mark.parametrize("sky", [0.0, -0.0, float("nan")])
def test_one_pixel_that_is_not_finite_fails_the_image(sky):
    with pytest.raises(ReadError, match=r"^depth is not finite: OneOverDisparity gives NaN"):
        depth_at(OneOverDisparity(sky), torch.rand(3, 8, 8), None, (8, 8))
    read = torch.rand(1, 1, 4, 4)
    read[..., 2, 2] = 1 / torch.tensor(sky)
    with pytest.raises(ReadError, match=r"^depth is not finite: its file gives NaN"):
        depth_at(None, torch.rand(3, 8, 8), read, (8, 8))
