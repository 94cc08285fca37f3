import numpy as np
import pytest
import torch

from relief.schema.observation import Observation
from relief.splitters.depth_sampled import DepthSampledSplitter, Parts
from tests.contracts.splitter import SplitterContract


class ByDepth(DepthSampledSplitter):
    """Pixels of one region and of one tenth of the depth are one part."""

    def __init__(self, min_area_px, step_px=1):
        self.min_area_px, self.step_px = min_area_px, step_px

    def parts(self, region, depth):
        sampled = region[:: self.step_px, :: self.step_px].astype(np.int64)
        tenth = np.floor(10 * depth[:: self.step_px, :: self.step_px]).astype(np.int64)
        return Parts(np.where(sampled > 0, 11 * sampled + tenth, 0))


class TestByDepth(SplitterContract):
    def splitter(self):
        return ByDepth(8)


def halves():
    depth = torch.full((1, 1, 6, 8), 0.2)
    depth[..., 5:] = 0.7
    semantic = torch.zeros(1, 6, 8, dtype=torch.int64)
    return Observation(semantic=semantic, things=torch.tensor([True]), depth=depth)


@pytest.mark.parametrize("step_px", [1, 2])
def test_pixels_follow_their_block_and_small_parts_are_none(step_px):
    instance = ByDepth(1, step_px).split(halves()).instance[0]
    assert (instance[:, :5] == 1).all()
    assert (instance[:, 6:] == 2).all()
    filtered = ByDepth(20, step_px).split(halves()).instance[0]
    assert filtered.unique().tolist() == [0, 1]
