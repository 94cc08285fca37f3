import numpy as np
import pytest
import torch
from PIL import Image

from relief.notebooks.given_images import given_images, pixels_of
from relief.schema.errors import ReadError, UsageError

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(PICTURE).save(tmp_path / name)
    return tmp_path


def keys(images):
    return [image.key for image in given_images(images)]


def test_a_folder_has_the_keys_of_label_py(folder):
    assert keys(folder) == keys(str(folder)) == ["a/c", "b"]
    assert given_images(folder)[0].file_name == "a/c.png"


def test_files_and_patterns_are_read(folder):
    assert keys(folder / "b.png") == keys([str(folder / "*.png")]) == ["b"]
    assert given_images(folder / "b.png")[0].read().equal(pixels_of(PICTURE))


def test_what_has_no_name_is_numbered():
    assert keys([PICTURE, Image.fromarray(PICTURE)]) == ["image_0000", "image_0001"]
    assert keys(np.stack([PICTURE, PICTURE])) == ["image_0000", "image_0001"]
    assert keys({"street": PICTURE}) == ["street"]


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(PICTURE),
        PICTURE / 255.0,
        torch.from_numpy(PICTURE).permute(2, 0, 1),
        torch.from_numpy(PICTURE).permute(2, 0, 1).float() / 255,
    ],
)
def test_every_kind_has_the_same_pixels(image):
    assert pixels_of(image).dtype == torch.uint8
    assert pixels_of(image).permute(1, 2, 0).numpy().tolist() == PICTURE.tolist()


def test_gray_is_repeated():
    assert pixels_of(PICTURE[..., 0])[2].tolist() == PICTURE[..., 0].tolist()


@pytest.mark.parametrize(
    ("images", "line"),
    [
        ([], "no images: an empty sequence"),
        (3, "no image: int"),
        (np.zeros((3, 4, 5), np.uint8), r"expected an image \(H, W, 3\)"),
        (torch.zeros(4, 5, 3), r"expected an image \(3, H, W\)"),
        (PICTURE.astype(np.int64), "expected uint8"),
        (PICTURE * 1.0, "got 0 to 17"),
        (np.full((2, 2, 3), np.nan), "got nan"),
        ("nowhere/*.jpg", "nothing there: nowhere"),
    ],
)
def test_what_is_no_image_is_refused_in_a_line(images, line):
    with pytest.raises(UsageError, match=line):
        given_images(images)


def test_two_of_one_key_are_refused(folder):
    with pytest.raises(UsageError, match="two images have the key b"):
        given_images([folder / "b.png", folder / "b.png"])


def test_a_broken_file_is_told_when_it_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    (image,) = given_images(tmp_path)
    with pytest.raises(ReadError):
        image.read()
