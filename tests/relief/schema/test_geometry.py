import pytest

from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry, scaled_size, shrunk_size


def test_the_published_geometry_is_the_default():
    geometry = WindowGeometry()
    assert (geometry.short_side_px, geometry.window_px, geometry.stride_px) == (322, 322, 161)


@pytest.mark.parametrize("stride_px", [1, 20])
def test_windows_may_touch_or_overlap(stride_px):
    assert WindowGeometry(14, 20, stride_px).stride_px == stride_px


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 20, 10), r"not a size: short_side_px 0\. Set short_side_px to at least 1\."),
        ((14, -20, 10), r"not a size: window_px -20\. Set window_px to at least 1\."),
        ((14, 20, 0), r"stride_px 0 with window_px 20\. Set stride_px from 1 to 20\."),
        ((14, 20, -5), r"stride_px -5 with window_px 20\."),
        ((14, 20, 21), r"windows leave gaps or do not move: stride_px 21 with window_px 20\."),
    ],
)
def test_other_numbers_are_refused(sizes, message):
    with pytest.raises(UsageError, match=message):
        WindowGeometry(*sizes)


@pytest.mark.parametrize(
    ("size", "expected"), [((1024, 2048), (512, 1024)), ((3, 1000), (512, 170667))]
)
def test_scaled_size_keeps_the_aspect(size, expected):
    assert scaled_size(size, 512) == expected


def test_images_are_shrunk_but_not_enlarged():
    assert shrunk_size((40, 80), 20) == (20, 40)
    assert shrunk_size((40, 80), 60) == shrunk_size((40, 80), 0) == (40, 80)
