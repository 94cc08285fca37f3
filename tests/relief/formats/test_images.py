from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from relief.formats.images import ImageReadError, find_images, read_image, refuse_line
from relief.ops.resize import resize_image
from relief.schema.errors import ReadError, UsageError

RED = (200, 10, 20)


def picture(height: int = 5, width: int = 7) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack((x * 30, y * 40, (x + y) * 15), axis=-1).astype(np.uint8)


def pixels(image: torch.Tensor) -> np.ndarray:
    assert image.dtype == torch.uint8
    assert image.is_contiguous()
    return image.permute(1, 2, 0).numpy()


def test_rgb_png(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 5, 7)
    assert np.array_equal(pixels(image), picture())


def test_jpeg_is_as_pillow_decodes_it(tmp_path: Path) -> None:
    Image.fromarray(picture(32, 48)).save(tmp_path / "a.JPG", format="JPEG", quality=95)
    expected = np.array(Image.open(tmp_path / "a.JPG"))
    assert np.array_equal(pixels(read_image(tmp_path / "a.JPG")), expected)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_gray_is_repeated(tmp_path: Path, mode: str) -> None:
    gray = Image.fromarray(picture()[..., 0]).convert(mode)
    gray.save(tmp_path / "a.png")
    expected = np.array(gray.convert("L"))
    for channel in read_image(tmp_path / "a.png"):
        assert np.array_equal(channel.numpy(), expected)


def test_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png")
    assert pixels(read_image(tmp_path / "a.png")).tolist() == [[list(RED), [0, 0, 255]]]


def test_what_is_transparent_is_laid_on_black(tmp_path: Path) -> None:
    rgba = np.array([[[*RED, 255], [*RED, 0], [100, 50, 200, 128]]], dtype=np.uint8)
    Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png")
    opaque, hidden, half = pixels(read_image(tmp_path / "a.png"))[0].tolist()
    assert opaque == list(RED)
    assert hidden == [0, 0, 0]
    assert np.abs(np.array(half) - [50, 25, 100]).max() <= 1


def test_transparent_palette_and_gray_with_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, 9, 9, 9])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=1)
    assert pixels(read_image(tmp_path / "p.png")).tolist() == [[list(RED), [0, 0, 0]]]
    Image.fromarray(np.array([[[80, 255], [80, 0]]], np.uint8), "LA").save(tmp_path / "la.png")
    assert pixels(read_image(tmp_path / "la.png")).tolist() == [[[80] * 3, [0] * 3]]


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path: Path) -> None:
    gray = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(gray).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].tolist() == [[0, 0, 1, 128, 255]]


def test_sixteen_bit_colour_is_scaled_the_same_way(tmp_path: Path) -> None:
    import cv2

    bgr = np.array([[[65535, 256, 32768]]], dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    assert pixels(read_image(tmp_path / "a.png")).tolist() == [[[128, 1, 255]]]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpeg", quality=95)
    red, green, blue = pixels(read_image(tmp_path / "a.jpeg"))[4, 4].tolist()
    assert red > 240 > 20 > max(green, blue)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_gives_the_displayed_image(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    operations = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored turned back, so that 6 shows it upright
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    shown = Image.fromarray(np.kron(picture(4, 6), np.ones((8, 8, 1), np.uint8)))
    stored = shown.transpose(operations[orientation]) if orientation > 1 else shown
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(
        tmp_path / f"a.{suffix}", exif=exif, **({"quality": 100} if suffix == "jpg" else {})
    )
    read = pixels(read_image(tmp_path / f"a.{suffix}")).astype(int)
    assert read.shape == (32, 48, 3)
    limit = 0 if suffix == "png" else 40
    assert np.abs(read - np.array(shown)).max() <= limit


def test_sixteen_bit_gray_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    gray = np.array([[0, 65535, 256]], dtype=np.uint16)
    Image.fromarray(gray).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png")[0].tolist() == [[0], [255], [1]]


def test_damaged_exif_does_not_lose_the_image(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" * 3)
    assert np.array_equal(pixels(read_image(tmp_path / "a.png")), picture())


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_cut_file_is_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageReadError) as caught:
        read_image(path)
    assert caught.value.reason.startswith(("image file is truncated", "broken data stream"))
    assert str(caught.value) == (
        f"cannot read image: {path} ({caught.value.reason}). Replace it or remove it."
    )
    assert isinstance(caught.value, ReadError)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"<html><body>404</body></html>", "not an image"), (b"", "not an image"),
     (b"\x89PNG\r\n\x1a\n" + bytes(100), None), (b"\xff\xd8\xff\xe0" + bytes(50), None)],
)  # fmt: skip
def test_what_is_no_image_is_told(tmp_path: Path, content: bytes, reason: str | None) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "x.png")
    assert "\n" not in str(caught.value)
    assert caught.value.reason == reason or (reason is None and caught.value.reason)


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"x.png \(no such file\)"):
        read_image(tmp_path / "x.png")
    with pytest.raises(ImageReadError, match="directory"):
        read_image(tmp_path)


def test_a_flipped_byte_never_crashes(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(picture(16, 16)).save(path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        path.write_bytes(bytes(damaged))
        try:
            read_image(path)
        except ReadError:
            continue


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_images_are_found_in_any_nested_folder(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.png",
        "a.JPG",
        "deep/er/c.Jpeg",
        "deep/b.png",
        "zürich/straße 1.PNG",
        "日本.jpg",
    )
    found = find_images(tmp_path)
    assert list(found) == ["a", "b", "deep/b", "deep/er/c", "zürich/straße 1", "日本"]
    assert found["deep/er/c"] == tmp_path / "deep/er/c.Jpeg"


def test_other_and_hidden_files_are_skipped(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.png", ".a.png", "._b.jpg", ".git/c.png", "d/.e/f.png", "a.txt", "png", "x.tif"
    )
    assert list(find_images(tmp_path)) == ["a"]


def test_equal_stems_keep_their_suffix_and_nobody_else_does(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "a.JPG", "b.png", "s/a.png", "t/a.jpg", "t/a.jpeg")
    found = find_images(tmp_path)
    assert list(found) == ["a.JPG", "a.jpg", "a.png", "b", "s/a", "t/a.jpeg", "t/a.jpg"]
    assert all(found[key].exists() for key in found)
    assert len(set(found.values())) == 7


def test_a_key_given_away_is_not_shared_again(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "a.png.png")
    found = find_images(tmp_path)
    assert found == {name: tmp_path / name for name in ("a.jpg", "a.png", "a.png.png")}


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png")
    touch(tmp_path, "elsewhere/b.png")
    (tmp_path / "images/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "images")
    assert list(find_images(tmp_path / "images")) == ["a", "linked/b"]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    expected = rf"no images found: data.root={tmp_path} \(looked for \*.png, \*.jpg, \*.jpeg\)\."
    with pytest.raises(UsageError, match=expected):
        find_images(tmp_path)
    with pytest.raises(UsageError, match=r"no such folder: data.root=.*nowhere. Check data.root"):
        find_images(tmp_path / "nowhere")


@pytest.mark.parametrize("out", ["out", "deep/er/out", "."])
def test_what_a_labelling_run_wrote_below_the_folder_is_no_photograph(tmp_path, out):
    names = ("a.png", "deep/b.png", "semantic/own.png") if out != "." else ("a.png", "deep/b.png")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(tmp_path / name)
    for name in ("semantic/a.png", "panoptic/a.png", "overlays/a.png"):
        (tmp_path / out / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3)).save(tmp_path / out / name)
    (tmp_path / out / "manifest.json").write_text("{}")
    assert list(find_images(tmp_path)) == [name.removesuffix(".png") for name in names]


def test_names_that_are_no_utf_8_are_refused_by_name(tmp_path):
    path = tmp_path / "stra\udcdfe.png"
    Image.new("RGB", (4, 4)).save(path)
    assert list(find_images(tmp_path)) == ["stra\udcdfe"]
    with pytest.raises(
        ImageReadError, match=r"stra\\xdfe\.png \(its name is not UTF-8\)"
    ) as raised:
        read_image(path)
    str(raised.value).encode()


def test_lines_of_pixels_are_refused_above_the_aspect():
    refuse_line("a", (3, 30))
    refuse_line("a", (40, 1), max_aspect=40)
    with pytest.raises(ReadError, match=r"^image is a line: a \(3x31 px, more than 10 to 1\)\."):
        refuse_line("a", (3, 31))


def test_folders_that_cannot_be_listed_are_told(tmp_path, monkeypatch, caplog):
    for name in ("a.png", "secret/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(tmp_path / name)
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with caplog.at_level("WARNING", logger="relief"):
        assert list(find_images(tmp_path)) == ["a"]
    assert f"1 folders could not be listed and are left out: {tmp_path}/secret" in caplog.text


@pytest.mark.parametrize(
    ("least_size", "orientation", "decoded"),
    [
        ((40, 60), 1, (40, 60)),  # a quarter
        ((41, 60), 1, (80, 120)),  # half: a quarter would be too small
        ((81, 60), 1, (160, 240)),
        ((500, 500), 1, (160, 240)),
        ((60, 40), 6, (60, 40)),  # turned: rows of the file are columns
        ((1, 1), 1, (20, 30)),  # an eighth at most
    ],
)
def test_a_jpeg_is_decoded_at_the_fraction_that_is_enough(
    tmp_path, least_size, orientation, decoded
):
    shades = np.linspace(0, 255, 240).astype(np.uint8)[None, :, None].repeat(160, 0).repeat(3, 2)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(shades).save(tmp_path / "a.jpg", quality=95, exif=exif)
    whole, small = read_image(tmp_path / "a.jpg"), read_image(tmp_path / "a.jpg", least_size)
    assert tuple(small.shape[1:]) == decoded
    resized = resize_image(whole[None], decoded)[0]
    assert (resized.int() - small.int()).abs().max() <= 4
    Image.fromarray(shades).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", least_size).shape == (3, 160, 240)
