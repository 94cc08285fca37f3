"""What every depth network must do; its test inherits this class and makes `depth_model`."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from relief.schema.parts import DepthModel
from tests.fake_cuda import FakeCuda


class DepthContract:
    """Images become relative depth of the size that is asked for, each image by itself.

    Attributes:
        size: (height, width) that is asked for.
        image_size: (height, width) of the images it is shown.
        tolerance: Most difference of depth on another device.
    """

    size = (48, 72)
    image_size = (64, 96)
    tolerance = 1e-4

    @pytest.fixture
    def depth_model(self) -> DepthModel:
        """Makes the part, its weights not read yet."""
        raise NotImplementedError

    @pytest.fixture
    def images(self):
        coarse = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
        return F.interpolate(coarse, self.image_size, mode="bilinear").clamp(0, 1)

    def test_depth_is_relative_to_each_image(self, depth_model, images):
        depth_model.setup()
        depth_model.setup()
        assert isinstance(depth_model, DepthModel)
        assert isinstance(depth_model, nn.Module)
        with torch.no_grad():
            depth = depth_model.relative_depth(images, self.size)
            again = depth_model.relative_depth(images, self.size)
            alone = [depth_model.relative_depth(image[None], self.size) for image in images]
        assert depth.shape == (2, 1, *self.size)
        assert depth.dtype == torch.float32
        assert [float(one.min()) for one in depth] == [0, 0]
        assert [float(one.max()) for one in depth] == [1, 1]
        assert torch.equal(depth, again)
        torch.testing.assert_close(torch.cat(alone), depth, rtol=0, atol=1e-4)

    def test_it_describes_itself_without_paths(self, depth_model):
        depth_model.setup()
        description = json.dumps(depth_model.provenance)
        assert json.loads(description)
        assert "/tmp" not in description

    def test_it_computes_where_the_images_are(self, depth_model, images):
        depth_model.setup()
        with torch.no_grad(), FakeCuda():
            expected = depth_model.relative_depth(images, self.size)
            depth = depth_model.to("cuda").relative_depth(images.cuda(), self.size)
            assert depth.is_cuda
            torch.testing.assert_close(depth.cpu(), expected, rtol=0, atol=self.tolerance)
