import numpy as np
import pytest
import torch
from PIL import Image

from relief.samples.train_images import load_train_images
from relief.schema.errors import UsageError


def test_images_come_as_the_network_sees_them(tmp_path):
    folder = tmp_path / "leftImg8bit" / "train" / "town"
    folder.mkdir(parents=True)
    for i in (3, 1, 2):
        picture = np.full((64, 128, 3), 40 * i, dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"town_00000{i}_000000_leftImg8bit.png")
    images = load_train_images(tmp_path, limit=2)
    assert images.shape == (2, 3, 322, 644)
    assert images.dtype == torch.uint8
    assert images[:, 0, 0, 0].tolist() == [40, 80]


def test_none(tmp_path):
    with pytest.raises(UsageError, match=r"no train images: .*Draw the sample: python -m relief"):
        load_train_images(tmp_path)
