import pytest
import torch

from relief.models.augmentations.turning import turned, turned_back


@pytest.mark.parametrize("degrees", [90.0, 180.0])
def test_right_angles_are_exact(degrees):
    image = torch.rand(1, 3, 9, 9)
    expected = image.rot90(int(degrees // 90), (-2, -1))
    found = turned(image, torch.tensor([degrees]))
    assert torch.allclose(found, expected, atol=1e-4) or torch.allclose(
        found, image.rot90(-int(degrees // 90), (-2, -1)), atol=1e-4
    )


def test_a_map_comes_back_where_both_see_it_and_pixels_stay_square():
    rows = torch.linspace(0, 1, 24)[:, None].expand(24, 40)
    values = torch.stack((rows, torch.linspace(0, 1, 40).expand(24, 40)))[None].repeat(3, 1, 1, 1)
    degrees = torch.tensor([30.0, 180.0, 90.0])
    back, valid = turned_back(turned(values, degrees), degrees, (24, 40))
    for row in range(3):
        assert torch.allclose(back[row][:, valid[row]], values[row][:, valid[row]], atol=1e-3)
    shares = valid.float().mean(dim=(1, 2))
    assert shares[1] > 0.8
    assert 0.4 < shares[2] < 0.6  # 24 of 40 columns, less a border
    assert not valid[0, 0, 0]


def test_without_an_angle_all_is_valid():
    values = torch.rand(2, 3, 4, 5)
    back, valid = turned_back(values, None, (4, 5))
    assert back is values
    assert valid.shape == (2, 4, 5)
    assert valid.all()
