import pytest
import torch
from torch import nn

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.cluster_segmentation import segment
from relief.models.labelling.observer import Observer
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError
from relief.schema.geometry import WindowGeometry


class Counted(nn.Module):
    patch_px, dim = 2, 3

    def __init__(self):
        super().__init__()
        self.calls = 0

    def setup(self):
        """Has no weights."""

    def forward(self, image):
        self.calls += 1
        return nn.functional.avg_pool2d(image, 2) - 0.5


@pytest.fixture
def parts():
    codebook = Codebook()
    things = torch.tensor([False, True, True])
    codebook.fill(torch.eye(3), things, torch.tensor([-1, 0, 0]))
    return Counted(), codebook, WindowGeometry(16, 16, 8)


IMAGE = torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(0))
DEPTH = torch.linspace(0, 1, 64).expand(1, 1, 16, 64)


def test_everything_is_seen_at_one_look(parts):
    backbone, codebook, geometry = parts
    expected = segment(backbone, codebook, IMAGE, geometry)
    looks, backbone.calls = backbone.calls, 0
    observer = Observer(backbone, codebook, None, geometry, split_short_side_px=16)
    semantic, observation = observer.observe(IMAGE, DEPTH, {"features", "image"})
    assert backbone.calls == looks
    assert torch.equal(semantic, expected)
    assert torch.equal(observation.semantic, resize_nearest(expected[None], (16, 32)))
    assert observation.depth.shape == (1, 1, 16, 32)
    assert observation.features.shape == (1, 3, 8, 16)
    assert torch.equal(observation.image, IMAGE[None])
    assert observation.things.tolist() == [False, True, True]


def test_only_what_is_asked_for_is_made(parts):
    backbone, codebook, geometry = parts
    _, observation = Observer(backbone, codebook, None, geometry, 16).observe(IMAGE, None)
    assert observation.missing({"depth", "features", "image"}) == ["depth", "features", "image"]


def test_the_segmentation_of_the_labels_is_the_one_that_is_observed(parts):
    backbone, codebook, geometry = parts
    scales = RefinedSegmentation(scales=(0.5, 1.0))
    semantic, _ = Observer(backbone, codebook, None, geometry, 16, scales).observe(IMAGE, None)
    assert torch.equal(semantic, scales(backbone, codebook, IMAGE, geometry))


def test_depth_that_is_not_finite_fails_the_image(parts):
    backbone, codebook, geometry = parts
    with pytest.raises(ReadError, match="depth is not finite"):
        Observer(backbone, codebook, None, geometry, 16).observe(IMAGE, DEPTH / 0)
