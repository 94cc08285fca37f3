"""A street of 32x64 pixels that every command can be tried on."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROAD, SKY, CAR = 7, 23, 26
VISIBLE_GPUS = os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.fixture(autouse=True)
def gpus_stay_visible() -> Iterator[None]:
    """A script that was run on the CPU hides them from its process."""
    yield
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if VISIBLE_GPUS is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = VISIBLE_GPUS


def draw_frame(root: Path, split: str, city: str, number: int) -> None:
    """A road, a sky and two cars one behind the other, in Cityscapes layout with depth."""
    rng = np.random.default_rng(number)
    labels = np.full((32, 64), SKY, np.uint8)
    labels[16:] = ROAD
    instances = labels.astype(np.uint16)
    depth = np.full((32, 64), 1.0, np.float32)
    depth[16:] = np.linspace(0.6, 0.1, 16)[:, None]
    image = rng.integers(0, 40, (32, 64, 3)).astype(np.uint8)
    image[:16] += 180
    image[16:] += 60
    for k, (left, near) in enumerate(((10, 0.45), (22, 0.15))):
        box = (slice(12, 26), slice(left + number % 3, left + 14))
        labels[box], instances[box], depth[box] = CAR, CAR * 1000 + k, near
        image[box] = rng.integers(0, 2, (14, 14 - number % 3, 1)) * 160 + 20
    stem = f"{city}_{number:06d}_000019"
    files = {
        root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png": image,
        root / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png": labels,
        root / "gtFine" / split / city / f"{stem}_gtFine_instanceIds.png": instances,
    }
    for path, array in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    depth_path = root / "depth" / split / city / f"{stem}.npy"
    depth_path.parent.mkdir(parents=True, exist_ok=True)
    np.save(depth_path, depth)


@pytest.fixture
def tiny_cityscapes(tmp_path: Path) -> Path:
    """Three train and three val frames of 32x64 with ground truth and depth."""
    root = tmp_path / "cityscapes"
    for number in range(3):
        draw_frame(root, "train", "aachen", number)
        draw_frame(root, "val", "bonn", 10 + number)
    return root
