import pytest
import torch
from torch import nn

from relief.models.labelling.cut_objects import cut_objects, network_image
from relief.ops.cuts.cut_3d import CutSettings


class Colours(nn.Module):
    """Mean colours of patches, apart from their mean over the image."""

    patch_px, dim = 8, 3

    def forward(self, image):
        features = nn.functional.avg_pool2d(image, 8)
        return features - features.mean(dim=(2, 3), keepdim=True)


def drawn():
    """Two red squares before green, at two depths."""
    image = torch.zeros(3, 96, 160)
    image[1] = 1
    depth = torch.full((1, 1, 96, 160), 0.9)
    for left, distance in ((16, 0.2), (56, 0.5)):
        image[:, 24:64, left : left + 40] = torch.tensor([1.0, 0, 0])[:, None, None]
        depth[..., 24:64, left : left + 40] = distance
    return image, depth


SETTINGS = CutSettings(importance=False, exclude_taken=True, max_distance=0.2, min_distance=0.1)


def test_depth_parts_what_looks_alike():
    image, depth = drawn()
    flat = cut_objects(Colours(), image, None, size_px=96, num_masks=2, settings=SETTINGS)
    assert len(flat.scores) >= 1
    assert int(flat.instance[40, 30]) == int(flat.instance[40, 80]) == 1
    found = cut_objects(Colours(), image, depth, size_px=96, num_masks=2, settings=SETTINGS)
    assert len(found.scores) == 2
    assert {int(found.instance[40, 30]), int(found.instance[40, 80])} == {1, 2}
    assert (found.instance[:24] == 0).all()
    assert found.features.shape == (3, 12, 20)
    for number, score in found.scores.items():
        inside = found.instance == number
        assert int(inside.sum()) == 40 * 40
        assert score == pytest.approx(float(found.confidence[inside].mean()))
        assert 0 < score <= 1
    assert not found.confidence[found.instance == 0].any()


def test_the_image_is_squeezed_as_published_or_keeps_its_aspect():
    image = torch.rand(3, 100, 200)
    assert network_image(image, (48, 48), 8).shape == (1, 3, 48, 48)
    assert network_image(image, 50, 8).shape == (1, 3, 48, 96)
    assert network_image(image, 3, 8).shape == (1, 3, 8, 8)


class Grown:
    """A refiner that moves the border of a mask by some pixels, and leaves a hole."""

    def __init__(self, by_px):
        self.by_px = by_px

    def setup(self):
        pass

    def refine(self, probabilities, image):
        assert image.shape[1:] == probabilities.shape[1:]
        assert probabilities.sum(0).allclose(torch.ones(()))
        assert float(probabilities.max()) == pytest.approx(0.731, abs=1e-3)
        mask = (probabilities[1] > 0.5).float()[None, None]
        grown = nn.functional.max_pool2d(mask, 2 * self.by_px + 1, 1, self.by_px)[0, 0]
        grown[44:46, 30:32] = 0
        return torch.stack((1 - grown, grown))


def test_a_refiner_draws_borders_and_holes_are_filled():
    image, depth = drawn()
    found = cut_objects(
        Colours(), image, depth, size_px=96, num_masks=1, settings=SETTINGS, refiner=Grown(2)
    )
    assert int((found.instance == 1).sum()) == 44 * 44
    lost = cut_objects(
        Colours(), image, depth, size_px=96, num_masks=1, settings=SETTINGS, refiner=Grown(30)
    )
    assert lost.scores == {}
    assert not lost.instance.any()


def test_an_image_of_one_colour_has_no_object():
    class Plain(Colours):
        def forward(self, image):
            return nn.functional.avg_pool2d(image, 8)

    for level in (0.0, 0.5):
        found = cut_objects(Plain(), torch.full((3, 64, 64), level), None, size_px=64)
        assert found.scores == {}
        assert found.instance.shape == (64, 64)
