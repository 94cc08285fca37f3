from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.label_png import (
    png_bytes,
    read_ids,
    read_png,
    read_rgb,
    read_semantic,
    write_instance_png,
    write_png,
)
from relief.schema.errors import ReadError


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 64)])
def test_ids_read_back_equal_here_and_with_pillow(tmp_path: Path, dtype, shape) -> None:
    high = np.iinfo(dtype).max + 1
    array = np.random.default_rng(0).integers(0, high, shape).astype(dtype)
    write_png(tmp_path / "a.png", array)
    assert np.array_equal(read_png(tmp_path / "a.png"), array)
    assert np.array_equal(np.array(Image.open(tmp_path / "a.png")), array)


def test_colours_are_rgb(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", array)
    assert np.array_equal(read_png(tmp_path / "a.png"), array)
    assert np.array_equal(np.array(Image.open(tmp_path / "a.png")), array)
    with pytest.raises(ReadError, match="has colours, expected ids"):
        read_ids(tmp_path / "a.png")


@pytest.mark.parametrize("channels", [(), (3,)], ids=["ids", "colours"])
def test_one_filter_for_all_rows_is_as_small_as_one_chosen_for_each(channels) -> None:
    random = np.random.default_rng(0)
    map_ = random.integers(0, 40, (8, 16, *channels)).astype(np.uint8)
    map_ = map_.repeat(16, 0).repeat(16, 1)
    searched = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, 3]  # run lengths
    best = cv2.imencode(".png", map_, searched)[1]
    assert len(png_bytes(map_)) <= 1.02 * len(best)


def test_a_palette_gives_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 7, 255]], np.uint8))
    image.putpalette([i % 256 for i in range(768)])
    assert image.mode == "P"
    image.save(tmp_path / "a.png")
    assert read_semantic(tmp_path / "a.png").tolist() == [[0, 7, -1]]


def test_ignore_is_255_of_8_bit_and_65535_of_16_bit(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[255, 254]], np.uint8))
    write_png(tmp_path / "b.png", np.array([[255, 65535]], np.uint16))
    assert read_semantic(tmp_path / "a.png").tolist() == [[-1, 254]]
    assert read_semantic(tmp_path / "b.png").tolist() == [[255, -1]]


def test_instances_above_65535_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="65536"):
        write_instance_png(tmp_path / "a.png", torch.tensor([[65536]]))


def test_what_is_no_label_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"GIF89a")
    with pytest.raises(ReadError, match="not a PNG file"):
        read_png(path)
    Image.fromarray(np.zeros((2, 2, 4), np.uint8), "RGBA").save(path)
    with pytest.raises(ReadError, match="has colours"):
        read_png(path)
    Image.fromarray(np.ones((2, 2), bool)).save(path)
    with pytest.raises(ReadError, match="1 bits a pixel"):
        read_png(path)
    path.write_bytes(cv2.imencode(".png", np.zeros((2, 2, 3), np.uint16))[1].tobytes())
    with pytest.raises(ReadError, match="has colours"):
        read_png(path)
    with pytest.raises(ReadError, match=r"no.png \(No such file or directory\)"):
        read_png(tmp_path / "no.png")


def test_a_gray_palette_is_what_an_optimiser_leaves_of_a_gray_picture(tmp_path: Path) -> None:
    levels, index = np.array([7, 23, 26]), np.array([[0, 2, 1]], np.uint8)
    image = Image.fromarray(index)
    image.putpalette([int(level) for level in levels for _ in range(3)])
    image.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    assert read_ids(tmp_path / "a.png").tolist() == [[7, 26, 23]]


def test_what_stands_behind_the_end_is_not_looked_at(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[3, 4]], np.uint8))
    with (tmp_path / "a.png").open("ab") as file:
        file.write(b"\r\nadded by a transfer")
    assert read_ids(tmp_path / "a.png").tolist() == [[3, 4]]


def test_a_file_of_begin_and_end_only_is_no_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82")
    with pytest.raises(ReadError, match="not a PNG file"):
        read_ids(tmp_path / "a.png")


def test_one_bit_is_what_an_optimiser_leaves_of_zeros(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 3), bool)).save(tmp_path / "a.png")
    assert read_ids(tmp_path / "a.png").tolist() == [[0, 0, 0], [0, 0, 0]]


def test_colours_that_are_numbers_are_read_however_they_are_packed(tmp_path: Path) -> None:
    rgb = np.array([[[7, 0, 0], [1, 0, 4]], [[0, 0, 0], [7, 0, 0]]], np.uint8)
    picture, path = Image.fromarray(rgb), tmp_path / "a.png"
    for packed in (picture, picture.convert("RGBA"), picture.quantize(256)):
        packed.save(path)
        assert np.array_equal(read_rgb(path), rgb)
    for mode in ("1", "L"):
        Image.new(mode, (3, 2)).save(path)
        assert np.array_equal(read_rgb(path), np.zeros((2, 3, 3)))
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(path)
    with pytest.raises(ReadError, match="gray, expected RGB"):
        read_rgb(path)
    Image.fromarray(np.zeros((2, 2, 4), np.uint8)).save(path)
    with pytest.raises(ReadError, match="is transparent"):
        read_rgb(path)


def test_sizes_that_no_picture_has_and_heads_alone_are_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:20] = b"\x7f\xff\xff\xff"
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ReadError, match="damaged"):
        read_png(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(data[:8] + data[-8:] + bytes(30))
    with pytest.raises(ReadError, match="truncated"):
        read_png(tmp_path / "a.png")
