import pytest
import torch

from relief.models.segmenters.joining_decoder import joined, joints
from relief.schema.errors import UsageError


def test_maps_are_joined_from_coarse_to_fine():
    maps = [torch.rand(2, c, 16 >> i, 24 >> i) for i, c in enumerate((4, 6, 8))]
    made = joints((4, 6, 8), (16, 8))
    assert [tuple(one.shape) for one in joined(made, maps)] == [(2, 16, 8, 12), (2, 8, 16, 24)]
    assert [part[0].in_channels for part in made] == [8 + 6, 16 + 4]


@pytest.mark.parametrize("widths", [(8,), (8, 9), (8, 8, 8)])
def test_widths_that_do_not_fit_are_refused(widths):
    with pytest.raises(UsageError, match="2 maps to join, and widths are multiples of 8"):
        joints((4, 6, 8), widths)
