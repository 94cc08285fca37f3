import numpy as np
import pytest
import torch
from PIL import Image

from relief.ops.resize import resize_image, resize_nearest

SIZES = [(322, 644), (98, 210), (511, 33), (700, 900)]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (512, 640, 3), dtype=np.uint8)
    noise[100:300, 200:400] = (250, 3, 128)
    return noise


@pytest.mark.parametrize("size", SIZES)
def test_resize_image_equals_pil(picture, size):
    # Newer PIL picks the order of the two passes by cost; the published one took columns first.
    narrowed = Image.fromarray(picture).resize((size[1], 512), Image.Resampling.BILINEAR)
    judge = np.asarray(narrowed.resize(size[::-1], Image.Resampling.BILINEAR))
    ours = resize_image(torch.from_numpy(picture).permute(2, 0, 1)[None], size)
    assert ours.dtype == torch.uint8
    difference = np.abs(ours[0].permute(1, 2, 0).numpy().astype(int) - judge)
    assert difference.max() <= 2  # a half twice
    assert (difference > 0).mean() < 0.03  # halves, rounded up or down


def test_resize_image_keeps_float_on_whole_levels(picture):
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    levels = resize_image(image, (98, 210))
    resized = resize_image(image.float() / 255, (98, 210))
    assert resized.dtype == torch.float32
    assert torch.equal(resized, levels.float() / 255)


def test_resize_image_of_its_own_size_is_untouched():
    image = torch.rand(1, 3, 28, 42)
    assert torch.equal(resize_image(image, (28, 42)), image)


@pytest.mark.parametrize("size", [(100, 200), (700, 900), (37, 5), (1024, 2048), (512, 1024)])
def test_resize_nearest_equals_pil(size):
    labels = np.arange(322 * 644, dtype=np.int32).reshape(322, 644)
    judge = np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))
    ours = resize_nearest(torch.from_numpy(labels).long()[None], size)
    assert ours.dtype == torch.int64
    assert ours.shape == (1, *size)
    assert np.array_equal(ours[0].numpy(), judge)


def test_resize_nearest_is_torch_nearest_exact():
    labels = torch.arange(23 * 46, dtype=torch.float32).view(1, 1, 23, 46)
    judge = torch.nn.functional.interpolate(labels, (322, 644), mode="nearest-exact")
    assert torch.equal(resize_nearest(labels, (322, 644)), judge)
