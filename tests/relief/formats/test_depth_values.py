from __future__ import annotations

import numpy as np
from PIL import Image

from relief.formats.depth_values import are, filled, stored_values


def test_values_come_as_stored_with_what_counts_as_one(tmp_path):
    for dtype, one in ((np.uint8, 255.0), (np.uint16, 65535.0)):
        Image.fromarray(np.array([[3, 7]], dtype)).save(tmp_path / "a.png")
        values, counts_as_one = stored_values(str(tmp_path / "a.png"))
        assert values.tolist() == [[3, 7]]
        assert counts_as_one == one
    np.save(tmp_path / "a.npy", np.array([[[3, 7]]], np.int32))
    values, counts_as_one = stored_values(str(tmp_path / "a.npy"))
    assert values.tolist() == [[3, 7]]
    assert counts_as_one == 1.0


def test_numbers_are_compared_as_the_file_holds_them():
    assert are(np.array([0.1, 0.2], np.float32), 0.1).tolist() == [True, False]
    assert are(np.array([np.nan, 0.2]), float("nan")).tolist() == [True, False]
    assert are(np.array([0, 65535], np.uint16), float("nan")).tolist() == [False, False]
    assert are(np.array([0, 65535], np.uint16), 65535.0).tolist() == [False, True]


def test_the_nearest_known_pixel_fills():
    values = np.array([[1.0, 9.0, 9.0, 5.0]])
    assert filled(values, values == 9.0, "a.npy").tolist() == [[1.0, 1.0, 5.0, 5.0]]
