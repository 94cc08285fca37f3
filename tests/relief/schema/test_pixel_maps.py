import pytest
import torch

from relief.schema.pixel_maps import pixel_maps

BATCH = {"image": torch.zeros(2, 3, 4, 6), "instance": torch.zeros(2, 4, 6), "key": ["a", "b"]}


def test_maps_are_what_lies_over_the_pixels():
    boxes = {"boxes": torch.zeros(2, 5, 4), "shades": torch.zeros(2, 6), "classes": [0, 1]}
    assert pixel_maps(BATCH | boxes) == {"image": "image", "instance": "ids"}


def test_other_maps_are_declared():
    batch = BATCH | {"height": torch.zeros(2, 4, 6), "kinds": {"height": "weights"}}
    assert pixel_maps(batch)["height"] == "weights"
    with pytest.raises(ValueError, match="`height` of the batch is of no known kind: None"):
        pixel_maps(batch | {"kinds": {}})
