from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.depth_files import CityscapesDisparity, FolderDepth, check_aspect
from relief.formats.depth_record import write_depth_record
from relief.schema.errors import ReadError, UsageError
from relief.schema.parts import DepthReader


def save(path: Path, values: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.fromarray(values).save(path)
    else:
        np.save(path, values)
    return str(path)


RAMP = np.linspace(0.25, 0.75, 8, dtype=np.float32).reshape(2, 4)


def refusal(reader: FolderDepth, path: str) -> str:
    with pytest.raises(ReadError) as caught:
        reader.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert path in text
    return text


def test_is_a_depth_reader(tmp_path):
    assert isinstance(FolderDepth(tmp_path), DepthReader)


def test_finds_by_split_and_key_with_or_without_the_image_suffix(tmp_path):
    plain = save(tmp_path / "val/bonn/bonn_000000_000001.npy", RAMP)
    long = save(tmp_path / "val/bonn/bonn_000000_000002_leftImg8bit.npy", RAMP)
    reader = FolderDepth(tmp_path)
    assert reader.find("val", "bonn/bonn_000000_000001") == plain
    assert reader.find("val", "bonn/bonn_000000_000002") == long
    assert reader.find("train", "bonn/bonn_000000_000001") is None


def test_finds_in_a_folder_that_mirrors_the_images(tmp_path):
    deep = save(tmp_path / "a/b/frame.1.png", np.zeros((2, 2), np.uint16))
    twin = save(tmp_path / "frame.jpg.npy", RAMP)
    reader = FolderDepth(tmp_path)
    assert reader.find("", "a/b/frame.1") == deep
    assert reader.find("", "frame.jpg") == twin
    assert reader.find("", "frame") is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_within_zero_and_one_stay(tmp_path, dtype):
    values = RAMP.astype(dtype)
    depth = FolderDepth(tmp_path).read(save(tmp_path / "a.npy", values))
    assert depth.dtype == torch.float32
    assert torch.equal(depth, torch.from_numpy(values.astype(np.float32))[None])


def test_leading_axes_of_one_are_taken_off(tmp_path):
    assert FolderDepth(tmp_path).read(save(tmp_path / "a.npy", RAMP[None, None])).shape == (1, 2, 4)


def test_other_ranges_are_refused_unless_normalised(tmp_path):
    path = save(tmp_path / "a.npy", np.array([[1.0, 3.0], [5.0, 2.0]]))
    text = refusal(FolderDepth(tmp_path), path)
    assert "(1 to 5)" in text
    assert "normalise: min_max" in text
    depth = FolderDepth(tmp_path, normalise="min_max").read(path)
    assert depth.tolist() == [[[0.0, 0.5], [1.0, 0.25]]]


def test_inverse_depth_is_turned_round(tmp_path):
    path = save(tmp_path / "a.npy", np.array([[1.0, 3.0], [5.0, 2.0]]))
    assert FolderDepth(tmp_path, inverse=True).read(path).tolist() == [[[1.0, 0.5], [0.0, 0.75]]]


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("normalise", [None, "min_max"])
def test_constant_map_is_zeros(tmp_path, inverse, normalise):
    path = save(tmp_path / "a.npy", np.full((3, 2), 0.5, np.float32))
    depth = FolderDepth(tmp_path, normalise=normalise, inverse=inverse).read(path)
    assert torch.equal(depth, torch.zeros(1, 3, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_values_are_refused(tmp_path, bad):
    values = RAMP.copy()
    values[1, 1] = bad
    path = save(tmp_path / "a.npy", values)
    assert "NaN or infinite" in refusal(FolderDepth(tmp_path), path)
    assert "NaN or infinite" in refusal(FolderDepth(tmp_path, normalise="min_max"), path)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((3, 2, 2)),
        np.zeros(4),
        np.zeros((0, 4)),
        np.array([["a"]]),
        np.array([[1j]]),
        np.array([[{}]], dtype=object),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, values):
    refusal(FolderDepth(tmp_path), save(tmp_path / "a.npy", values))


@pytest.mark.parametrize("name", ["a.npy", "a.png"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_unreadable_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "cannot read depth" in refusal(FolderDepth(tmp_path), str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.npy", "a.png"])
def test_cut_files_are_refused(tmp_path, name):
    path = tmp_path / name
    save(path, np.random.default_rng(0).integers(0, 65535, (64, 64)).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:2000])
    assert "cannot read depth" in refusal(FolderDepth(tmp_path), str(path))


def test_pictures_are_scaled_by_their_bit_depth(tmp_path):
    sixteen = save(tmp_path / "a.png", np.array([[0, 65535], [13107, 52428]], np.uint16))
    eight = save(tmp_path / "b.png", np.array([[0, 255], [51, 204]], np.uint8))
    for path in (sixteen, eight):
        depth = FolderDepth(tmp_path).read(path)
        assert torch.allclose(depth, torch.tensor([[[0.0, 1.0], [0.2, 0.8]]]))
    color = save(tmp_path / "c.png", np.zeros((2, 2, 3), np.uint8))
    assert "gray" in refusal(FolderDepth(tmp_path), color)


def test_cityscapes_disparity_is_filled_and_turned_round(tmp_path):
    disparity = np.array([[0, 257, 0, 1281], [0, 0, 0, 769]], np.uint16)  # 1, 5, 3 px
    path = save(tmp_path / "train/bonn/bonn_000000_000001_disparity.png", disparity)
    reader = CityscapesDisparity(tmp_path)
    assert reader.find("train", "bonn/bonn_000000_000001") == path
    depth = reader.read(path)[0]
    assert depth[0, :2].tolist() == [1.0, 1.0]  # the left border takes the farthest pixel beside it
    assert depth[1, 1] == 1.0
    assert depth[0, 3] == 0.0
    assert depth[1, 3].item() == pytest.approx(0.5)
    assert depth[1, 2].item() == pytest.approx(0.5)
    assert reader.invalid_share(path) == 5 / 8


@pytest.mark.parametrize(
    ("name", "values", "unknown"),
    [
        ("a.png", np.array([[65535, 13107], [65535, 52428]], np.uint16), 65535),
        ("a.png", np.array([[0, 51], [0, 204]], np.uint8), 0),
        ("a.npy", np.array([[np.nan, 0.2], [np.nan, 0.8]]), float("nan")),
        ("a.npy", np.array([[np.inf, 0.2], [np.inf, 0.8]]), float("inf")),
        ("a.npy", np.array([[-999.9, 0.2], [-999.9, 0.8]], np.float32), -999.9),
    ],
)
def test_unknown_is_what_the_file_stores(tmp_path, name, values, unknown):
    path = save(tmp_path / name, values)
    reader = FolderDepth(tmp_path, invalid_value=unknown)
    assert torch.allclose(reader.read(path), torch.tensor([[[0.2, 0.2], [0.8, 0.8]]]))
    assert reader.invalid_share(path) == 0.5


def test_the_largest_number_of_a_picture_is_known_unless_said_otherwise(tmp_path):
    path = save(tmp_path / "a.png", np.array([[65535, 13107]], np.uint16))
    depth = FolderDepth(tmp_path, invalid_value=1.0).read(path)
    assert torch.allclose(depth, torch.tensor([[[1.0, 0.2]]]))


def test_a_range_that_no_number_holds_is_refused(tmp_path):
    path = save(tmp_path / "a.npy", np.array([[1.0, 1e308], [-1e308, 3.0]]))
    assert "set invalid_value" in refusal(FolderDepth(tmp_path, normalise="min_max"), path)
    assert "set invalid_value" in refusal(FolderDepth(tmp_path, inverse=True), path)


def test_disparity_without_a_known_pixel_is_refused(tmp_path):
    path = save(tmp_path / "a_disparity.png", np.zeros((2, 2), np.uint16))
    assert "unknown at every pixel" in refusal(CityscapesDisparity(tmp_path), path)


RECORD = {"part": "a.B", "far": 1.0, "weights": {"w": "ab"}, "supervision": ["x"], "notes": ["n"]}


def test_what_made_the_files_is_told_by_their_record(tmp_path):
    write_depth_record(tmp_path / "val", RECORD)
    reader = FolderDepth(tmp_path)
    assert reader.made_by(["val"]) == RECORD
    assert reader.made_by(["val", "train"]) == RECORD  # there is no depth of train
    write_depth_record(tmp_path / "train", RECORD)
    assert reader.made_by(["val", "train"]) == RECORD
    write_depth_record(tmp_path / "plain", RECORD)
    assert FolderDepth(tmp_path / "plain").made_by([""]) == RECORD


def test_files_without_a_record_are_what_the_reader_says(tmp_path):
    unknown = ["unknown: precomputed depth files"]
    assert FolderDepth(tmp_path).made_by(["val"]) == {"supervision": unknown}
    drawn = FolderDepth(tmp_path, supervision="none, drawn with the scenes")
    assert drawn.made_by(["val"]) == {"supervision": []}
    assert CityscapesDisparity(tmp_path).made_by(["val"]) == {"supervision": []}
    write_depth_record(tmp_path / "val", RECORD)
    (tmp_path / "train").mkdir()
    told = FolderDepth(tmp_path).made_by(["val", "train"])
    assert told == {**RECORD, "supervision": ["x", *unknown]}


def test_splits_made_in_different_ways_are_refused(tmp_path):
    write_depth_record(tmp_path / "val", RECORD)
    write_depth_record(tmp_path / "train", {**RECORD, "far": 2.0})
    with pytest.raises(UsageError, match=f"different ways: {tmp_path}/val, {tmp_path}/train"):
        FolderDepth(tmp_path).made_by(["val", "train"])


def test_description_has_no_path_and_can_be_written(tmp_path):
    text = json.dumps(CityscapesDisparity(tmp_path).description)
    assert str(tmp_path) not in text
    assert "1 - minmax(x)" in text


@pytest.mark.parametrize(
    ("size", "image_size"), [((512, 1024), (1024, 2048)), ((101, 200), (500, 1000))]
)
def test_close_aspects_pass(size, image_size):
    check_aspect(torch.zeros(1, *size), image_size)


@pytest.mark.parametrize("size", [(1024, 512), (512, 1000), (64, 132)])
def test_other_aspects_are_refused(size):
    with pytest.raises(ReadError, match=r"depth of another shape: x\.npy \("):
        check_aspect(torch.zeros(1, *size), (1024, 2048), "x.npy")


def test_names_may_differ_in_capitals_of_the_ending_and_in_how_accents_are_composed(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Köln") for form in ("NFC", "NFD"))
    assert composed != decomposed
    np.save(tmp_path / f"{decomposed}.npy", np.zeros((2, 3)))
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(tmp_path / "b.PNG")
    reader = FolderDepth(tmp_path)
    assert reader.find("", composed) == str(tmp_path / f"{decomposed}.npy")
    found = reader.find("", "b")
    assert found == str(tmp_path / "b.PNG")
    assert reader.read(found).shape == (1, 2, 3)
    assert reader.find("", "B") is None


def test_depth_of_photographs_that_share_a_stem_is_found_by_the_stem(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    np.save(tmp_path / "v1.npy", np.zeros((2, 3)))
    assert FolderDepth(tmp_path).find("", "a.jpg") == str(tmp_path / "a.npy")
    assert FolderDepth(tmp_path).find("", "v1.2") is None


def test_pictures_of_one_bit_and_arrays_with_a_channel_at_their_end(tmp_path):
    reader = FolderDepth(tmp_path)
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert reader.read(str(tmp_path / "a.png")).tolist() == [[[1.0, 0.0]]]
    assert reader.read(save(tmp_path / "a.npy", RAMP[..., None])).tolist() == [RAMP.tolist()]


def test_folders_in_another_unicode_form_are_found(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Köln") for form in ("NFC", "NFD"))
    path = save(tmp_path / "val" / apart / "a.npy", RAMP)
    assert FolderDepth(tmp_path).find("val", f"{composed}/a") == path
