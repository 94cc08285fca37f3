from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from relief.reports.figures.pictures import data_address, fit_within, jpeg, resized

RAMP = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)


@pytest.mark.parametrize(
    ("size", "fitted"),
    [((512, 1024), (320, 640)), ((2048, 1024), (640, 320)), ((100, 50), (100, 50)),
     ((1, 5000), (1, 640))],
)  # fmt: skip
def test_sizes_keep_their_aspect_and_never_grow(size, fitted) -> None:
    assert fit_within(size, 640) == fitted


def test_shrinking_averages_and_growing_repeats() -> None:
    assert resized(RAMP, (8, 12))[0, :, 0].tolist() == list(range(5, 240, 20))
    assert resized(RAMP[:1, :2], (2, 4))[1, :, 0].tolist() == [0, 0, 10, 10]
    assert resized(RAMP, (16, 24)) is RAMP


def test_the_address_holds_the_picture() -> None:
    address = data_address(RAMP)
    head, _, data = address.partition(",")
    assert head == "data:image/jpeg;base64"
    decoded = np.array(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    assert np.abs(decoded - RAMP).max() < 12
    assert jpeg(RAMP) == jpeg(RAMP.copy())
