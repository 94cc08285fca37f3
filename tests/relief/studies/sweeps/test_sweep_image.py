import pytest

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.errors import ReadError
from relief.studies.sweeps.sweep_image import SweepImage
from tests.relief.studies.sweeps.test_sweep_images import root, work
from tests.relief.studies.tiny import KEYS, SIZE

__all__ = ["root"]


def test_missing_depth_is_told(root):
    shared = work(root, None).shared
    with pytest.raises(ReadError, match="no depth for"):
        SweepImage(shared, "bonn/none").gradient("drawn", 1.0, SIZE)


def test_a_gradient_is_made_once_for_each_sharpening(root):
    image = SweepImage(work(root, None).shared, KEYS[0])
    plain = image.gradient("drawn", 1.0, SIZE)
    sharp = image.gradient("drawn", 1.0, SIZE, ToggleSharpening())
    assert image.gradient("drawn", 1.0, SIZE) is plain
    assert image.gradient("drawn", 1.0, SIZE, ToggleSharpening(times=3)) is sharp
    assert image.gradient("drawn", 1.0, SIZE, ToggleSharpening(times=1)) is not sharp
