import pytest
import torch

from relief.ops.square_views import HalfSizeCrops, WindowsAlong
from relief.schema.errors import UsageError
from tests.relief.ops.test_cause_training import golden


def test_five_crops_are_the_published_ones():
    image = golden("crops/image").permute(2, 0, 1)
    views = HalfSizeCrops(side_px=int(golden("crops/short_side_px")))
    found = torch.stack([views.view(image, number) for number in range(views.count)])
    assert torch.equal(found.permute(0, 2, 3, 1), golden("crops/views"))


@pytest.mark.parametrize("size", [(30, 80), (80, 30), (31, 31)])
def test_windows_reach_both_ends_of_the_longer_side(size):
    image = torch.arange(size[0] * size[1]).view(1, *size).expand(3, -1, -1).to(torch.uint8)
    short = min(size)
    views = WindowsAlong(side_px=short, count=3)
    found = [views.view(image, number) for number in range(3)]
    assert all(view.shape == (3, short, short) for view in found)
    assert torch.equal(found[0], image[:, :short, :short])
    assert torch.equal(found[2], image[:, -short:, -short:])
    top, left = ((length - short) // 2 for length in size)
    middle = image[:, top : top + short, left : left + short]
    assert torch.equal(WindowsAlong(short, 1).view(image, 0), middle)
    assert torch.equal(found[1], middle)


@pytest.mark.parametrize("views", [HalfSizeCrops(), WindowsAlong()])
def test_images_of_any_size_give_whole_squares(views):
    for size in ((7, 40), (500, 333)):
        image = torch.zeros(3, *size, dtype=torch.uint8)
        for number in range(views.count):
            assert views.view(image, number).shape == (3, views.side_px, views.side_px)


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="count"):
        HalfSizeCrops(count=4)
    with pytest.raises(UsageError, match="side_px"):
        WindowsAlong(side_px=0)
