from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from datamodules.training_samples import BareImages, LabelledImages, TrainingImage, middle
from relief.formats.reader import refuse_other_shape
from relief.schema.errors import ReadError


def test_labels_of_another_resolution_are_fine_of_another_shape_not():
    refuse_other_shape("a", (1024, 2048), (640, 1280))
    refuse_other_shape("a", (1024, 2048), (322, 644))
    with pytest.raises(ReadError, match=r"another shape than their image: a \(640x640, image"):
        refuse_other_shape("a", (1024, 2048), (640, 640))


def test_the_middle_of_an_image_of_another_shape():
    columns = torch.arange(12).expand(3, 4, 12)
    assert middle(columns, (4, 8))[0, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    rows = torch.arange(8)[:, None].expand(3, 8, 4)
    assert middle(rows, (20, 40))[0, :, 0].tolist() == [3, 4]
    assert middle(rows, (16, 8)).shape == (3, 8, 4)
    assert middle(torch.zeros(3, 1, 90), (50, 1)).shape == (3, 1, 1)


def test_images_without_labels_have_one_size_and_are_not_stretched(tmp_path):
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 10:90] = 200
    cv2.imwrite(str(tmp_path / "a.png"), image)
    (tmp_path / "b.png").write_bytes(b"no image")
    items = [TrainingImage(name, tmp_path / f"{name}.png") for name in "ab"]
    images = BareImages(items, (20, 40), keep_in_memory=True)
    assert len(images) == 2
    sample = images[0]
    assert sample["key"] == "a"
    assert sample["image"].shape == (3, 20, 40)
    assert sample["image"].dtype == torch.uint8
    assert (sample["image"] == 200).all()
    assert images[0] is sample
    assert images[1]["failure"]["key"] == "b"
    assert images[1]["failure"]["reason"].startswith("cannot read image: ")


def test_confidence_of_another_shape_is_not_stretched_over_its_image(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 40, 3), np.uint8))
    for size, fits in (((10, 20), True), ((40, 20), False)):
        labels = SimpleNamespace(
            panoptic=lambda key: torch.zeros(20, 40, 2).long(),
            confidence=lambda key, size=size: torch.ones(size),
        )
        images = LabelledImages(
            [TrainingImage("a", tmp_path / "a.png")],
            labels,
            (20, 40),
        )
        assert ("confidence" in images[0]) == fits
        assert ("failure" in images[0]) != fits
