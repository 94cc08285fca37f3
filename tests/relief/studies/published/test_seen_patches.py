import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from relief.formats.images import read_image
from relief.schema.errors import ReadError, UsageError
from relief.schema.geometry import WindowGeometry
from relief.sources.cityscapes import CityscapesSource
from relief.studies.published.seen_patches import see_patches
from tests.relief.studies.tiny import KEYS, draw_tree

GEOMETRY = WindowGeometry(48, 96, 24)  # one window: features are those of the backbone


class Means(torch.nn.Module):
    """Mean colour of a patch; counts how often it was asked."""

    patch_px, dim = 4, 3

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, image):
        self.asked += 1
        return F.avg_pool2d(image, self.patch_px) + 0.1


@pytest.fixture
def tree(tmp_path):
    return CityscapesSource(draw_tree(tmp_path), "val")


def test_patches_have_unit_features_and_the_class_under_their_centre(tree):
    seen = see_patches(tree, Means(), GEOMETRY)
    # 12x24 patches in each of three images, but for those whose centre is void.
    assert seen.features.shape == (3 * (12 * 24 - 2), 3)
    assert seen.features.dtype == torch.float64
    assert seen.images == 3
    torch.testing.assert_close(seen.features.norm(dim=1), torch.ones(len(seen.features)).double())
    classes = [tree.target(key)[2::4, 2::4, 0].flatten() for key in tree.keys]
    assert seen.classes.tolist() == [c for c in torch.cat(classes).tolist() if c >= 0]


def test_features_of_an_image_lie_at_its_place(tree):
    whole = see_patches(tree, Means(), GEOMETRY)
    last = read_image(tree.image_path(tree.keys[2])).float()[None] / 255
    expected = F.normalize(F.avg_pool2d(last, 4)[0].flatten(1) + 0.1, dim=0).T
    known = tree.target(tree.keys[2])[2::4, 2::4, 0].flatten() >= 0
    own = whole.features[2 * (12 * 24 - 2) :].float()
    torch.testing.assert_close(own, expected[known], rtol=0, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_sees_the_same_and_leaves_it_here(tree):
    here, there = see_patches(tree, Means(), GEOMETRY), see_patches(tree, Means(), GEOMETRY, "cuda")
    assert there.features.device.type == "cpu"
    torch.testing.assert_close(there.features, here.features, rtol=0, atol=1e-5)


def test_missing_ground_truth_is_told_before_any_image_is_seen(tree):
    backbone = Means()
    for key in KEYS[1:]:
        tree.ids.instance_path(key).unlink()
    with pytest.raises(UsageError, match=r"^ground truth is missing: ulm/.* and 1 more\. Check"):
        see_patches(tree, backbone, GEOMETRY)
    tree.ids.instance_path(KEYS[1]).write_bytes(b"no picture")
    tree.ids.instance_path(KEYS[2]).write_bytes(b"no picture")
    with pytest.raises(ReadError, match=KEYS[1]):
        see_patches(tree, backbone, GEOMETRY)
    assert backbone.asked == 0


def test_an_image_of_another_size_than_its_truth_is_told(tree):
    path = tree.image_path(KEYS[0])
    Image.open(path).resize((48, 48)).save(path)
    with pytest.raises(ReadError, match=rf"differ in size: {KEYS[0]}\."):
        see_patches(tree, Means(), GEOMETRY)
