"""What every backbone must do; its test inherits this class and makes `backbone`."""

import json

import pytest
import torch
from torch import nn

from relief.schema.parts import Backbone
from tests.fake_cuda import FakeCuda


class BackboneContract:
    """Images become a grid of features, one for each patch, each image by itself.

    Attributes:
        size: (height, width) in patches of the images it is shown.
    """

    size = (4, 6)

    @pytest.fixture
    def backbone(self) -> Backbone:
        """Makes the part, its weights not read yet."""
        raise NotImplementedError

    @pytest.fixture
    def images(self, backbone):
        backbone.setup()
        height, width = (patches * backbone.patch_px for patches in self.size)
        return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))

    def test_features_lie_on_the_grid_of_patches(self, backbone, images):
        assert isinstance(backbone, Backbone)
        assert isinstance(backbone, nn.Module)
        with torch.no_grad():
            features = backbone(images)
        assert features.shape == (2, backbone.dim, *self.size)
        assert features.dtype == torch.float32
        assert features.isfinite().all()

    def test_images_of_a_batch_do_not_mix_and_nothing_is_drawn(self, backbone, images):
        with torch.no_grad():
            both, again = backbone(images), backbone(images)
            alone = torch.cat([backbone(image[None]) for image in images])
        assert torch.equal(both, again)
        assert not torch.allclose(both[0], both[1])
        torch.testing.assert_close(alone, both, rtol=1e-4, atol=1e-4)

    def test_the_image_is_left_as_it_is_and_weights_are_read_once(self, backbone, images):
        before, state = images.clone(), {n: t.clone() for n, t in backbone.state_dict().items()}
        backbone.setup()
        with torch.no_grad():
            backbone(images)
        assert torch.equal(images, before)
        assert all(torch.equal(state[name], t) for name, t in backbone.state_dict().items())

    def test_it_says_where_its_weights_come_from(self, backbone):
        backbone.setup()
        provenance = backbone.provenance
        assert json.loads(json.dumps(provenance))
        assert {"weights", "supervision", "notes"} <= set(provenance)
        assert all(len(digest) == 64 for digest in provenance["weights"].values())
        assert "/" not in json.dumps(provenance["weights"])

    def test_it_computes_where_the_images_are(self, backbone, images):
        with torch.no_grad(), FakeCuda():
            expected = backbone(images)
            features = backbone.to("cuda")(images.cuda())
            assert features.is_cuda
            torch.testing.assert_close(features.cpu(), expected, rtol=1e-4, atol=1e-4)
