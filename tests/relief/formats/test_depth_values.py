from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.depth_values import are, filled, stored_values
from relief.schema.errors import ReadError


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


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97, 1.0])
@pytest.mark.parametrize(
    "save", [np.savez, np.savez_compressed, lambda path, a: torch.save(a, path)]
)
def test_archives_under_the_name_of_an_array_are_unreadable_depth(tmp_path, save, share):
    save(tmp_path / "a.npz", torch.rand(8, 16).numpy())
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ReadError, match=r"^(cannot read depth|depth must be an array).*a\.npy"):
        stored_values(str(tmp_path / "a.npy"))


def test_memory_that_is_short_is_no_damaged_file(tmp_path, monkeypatch):
    def short(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(np, "load", short)
    with pytest.raises(MemoryError):
        stored_values(str(tmp_path / "a.npy"))


def test_numbers_are_compared_as_the_file_holds_them():
    assert are(np.array([0.1, 0.2], np.float32), 0.1).tolist() == [True, False]
    assert are(np.array([np.nan, 0.2]), float("nan")).tolist() == [True, False]
    assert are(np.array([0, 65535], np.uint16), float("nan")).tolist() == [False, False]
    assert are(np.array([0, 65535], np.uint16), 65535.0).tolist() == [False, True]


def test_the_nearest_known_pixel_fills():
    values = np.array([[1.0, 9.0, 9.0, 5.0]])
    assert filled(values, values == 9.0, "a.npy").tolist() == [[1.0, 1.0, 5.0, 5.0]]


def test_a_header_that_promises_more_than_the_file_holds_takes_no_memory(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 4), np.float32))
    promising = path.read_bytes().replace(b"(3, 4)", b"(999999999999, 4)".ljust(6))
    path.write_bytes(promising)
    with pytest.raises(ReadError, match=r"cannot read depth: .*a\.npy"):
        stored_values(str(path))
