import numpy as np
import pytest
import torch

from relief.ops.splitting.reclaim import partition
from relief.splitters.area_filtered import AreaFilteredSplitter
from tests.contracts.splitter import SplitterContract, drawn_observation


class SteepAt(AreaFilteredSplitter):
    """Parts at two thresholds at once."""

    needs = frozenset({"depth"})

    def __init__(self, min_area_px):
        self.min_area_px = min_area_px

    def partition(self, regions, edges, least_area_px=1):
        at_edge = edges(0.0, 2.0) | edges(1.0, 0.5)
        return partition(regions, at_edge, least_area_px=least_area_px)


class TestAreaFilteredSplitter(SplitterContract):
    def splitter(self):
        return SteepAt(4)


@pytest.mark.parametrize("area", [1, 20, 60])
def test_one_partition_answers_every_area_filter(area):
    observation = drawn_observation()
    whole = SteepAt(1).split(observation).instance
    filtered = SteepAt(area).split(observation).instance
    for all_parts, kept in zip(whole, filtered, strict=True):
        areas = torch.bincount(all_parts.flatten())
        large = (areas >= area)[all_parts] & (all_parts > 0)
        assert torch.equal(kept > 0, large)


def test_missing_depth_is_told():
    observation = drawn_observation()
    without = type(observation)(observation.semantic, observation.things)
    with pytest.raises(ValueError, match="SteepAt needs depth"):
        SteepAt(1).split(without)


def test_every_image_has_its_own_edges():
    observation = drawn_observation(batch=2)
    both = SteepAt(1).split(observation).instance
    second = type(observation)(
        observation.semantic[1:], observation.things, depth=observation.depth[1:]
    )
    assert np.array_equal(both[1:], SteepAt(1).split(second).instance)
