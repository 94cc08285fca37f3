from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from relief.models.self_training.views import CroppedViews, look
from relief.ops.self_training.view_fusion import average_views, view_affines
from relief.schema.errors import UsageError

SIZE = (24, 40)


def ramp():
    """An image whose green is the column and whose blue is the row of the pixel, in [0, 1]."""
    rows = torch.linspace(0, 1, SIZE[0]).view(-1, 1).expand(SIZE)
    columns = torch.linspace(0, 1, SIZE[1]).expand(SIZE)
    return torch.stack((torch.zeros(SIZE), columns, rows))


def test_a_view_that_is_the_image_is_the_image_or_its_mirror():
    params = torch.tensor([[0.0, 0, 0, 1, 1], [0, 0, 0, 1, -1]])
    same, mirrored = look(ramp(), params)
    torch.testing.assert_close(same, ramp(), atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored, ramp().flip(-1), atol=1e-5, rtol=0)


def test_views_lie_inside_of_the_window():
    torch.manual_seed(0)
    for params in (CroppedViews(number=6, side=(0.3, 0.9)).draw(SIZE) for _ in range(20)):
        side = 1 / params[:, 3]
        assert side[0] == 1  # the first view sees all of it
        assert ((side >= 0.3) & (side <= 1)).all()
        for axis in (0, 1):
            assert (params[:, axis].abs() <= SIZE[axis] * (1 - side) / 2 + 1e-4).all()
        assert set(params[:, 4].tolist()) <= {-1.0, 1.0}


def test_what_the_views_see_is_fused_where_it_lies():
    """A teacher that tells column and row of a pixel tells the same from every view."""
    torch.manual_seed(3)
    params = CroppedViews(number=5, side=(0.4, 0.8)).draw(SIZE)
    seen = look(ramp(), params)
    probabilities = torch.cat((seen[:, 1:] / 2, 1 - seen[:, 1:].sum(1, keepdim=True) / 2), dim=1)
    fused = average_views(probabilities, *view_affines(params, SIZE))
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(fused[inner], probabilities[inner], atol=0.02, rtol=0)


def test_a_window_is_cut_out_of_each_image():
    torch.manual_seed(0)
    image = torch.rand(3, 3, 32, 48)
    windows = CroppedViews(window=(8, 12)).cut(image)
    assert windows.shape == (3, 3, 8, 12)
    for one, window in zip(image, windows, strict=True):
        patches = F.unfold(one[None], (8, 12))[0]
        assert (patches == window.reshape(-1, 1)).all(dim=0).any()
    assert CroppedViews().cut(image) is image


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match=r"^side=\[0.5, 1.2\]: expected two numbers in \(0, 1\]"):
        CroppedViews(side=(0.5, 1.2))
    with pytest.raises(UsageError, match="number"):
        CroppedViews(number=0)
