import numpy as np
import pytest
import torch

from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from relief.splitters.watershed import WatershedSplitter
from tests.contracts.splitter import SplitterContract


class TestWatershed(SplitterContract):
    def splitter(self):
        return WatershedSplitter(0.5, 8, sigma=0.5, step_px=1)


def steps(level_of_block=(0.1, 0.5, 0.9)):
    """Three blocks of 20x20 px at their depths, side by side."""
    row = torch.tensor(level_of_block, dtype=torch.float64).repeat_interleave(20)
    depth = row.expand(1, 1, 20, 60).contiguous()
    semantic = torch.zeros(1, 20, 60, dtype=torch.int64)
    return Observation(semantic=semantic, things=torch.tensor([True]), depth=depth)


@pytest.mark.parametrize("by, level", [("volume", 50.0), ("dynamics", 0.2), ("area", 100.0)])
def test_basins_of_depth_are_objects(by, level):
    splitter = WatershedSplitter(level, 50, by, sigma=1.0, step_px=1)
    instance = splitter.split(steps()).instance[0]
    middle = [int(instance[10, column]) for column in (10, 30, 50)]
    assert sorted(middle) == [1, 2, 3]
    for column in (10, 30, 50):
        area = int((instance == instance[10, column]).sum())
        assert 350 <= area <= 450


def test_a_higher_level_merges_and_another_region_never_joins():
    observation = steps((0.1, 0.2, 0.9))
    low = WatershedSplitter(0.1, 50, "dynamics", sigma=1.0, step_px=1)
    high = WatershedSplitter(1.0, 50, "dynamics", sigma=1.0, step_px=1)
    assert int(low.split(observation).instance.max()) == 3
    assert int(high.split(observation).instance.max()) == 2
    two = Observation(
        semantic=(torch.arange(60) >= 30).long().expand(1, 20, 60),
        things=torch.tensor([True, True]),
        depth=torch.full((1, 1, 20, 60), 0.5, dtype=torch.float64),
    )
    instance = WatershedSplitter(100.0, 50, sigma=1.0).split(two).instance[0]
    assert (instance[:, :30] == instance[0, 0]).all()
    assert (instance[:, 30:] == instance[0, 59]).all()
    assert sorted(instance.unique().tolist()) == [1, 2]


def test_smoothing_fits_the_softness_of_the_depth():
    observation = steps()
    noisy = observation.depth + 0.01 * torch.from_numpy(
        np.random.default_rng(0).standard_normal((1, 1, 20, 60))
    )
    fitted = WatershedSplitter(2.0, 50, step_px=1)
    noisy_observation = Observation(
        semantic=observation.semantic, things=observation.things, depth=noisy.clamp(0, 1)
    )
    assert int(fitted.split(noisy_observation).instance.max()) == 3


def test_numbers_out_of_range_are_told():
    with pytest.raises(UsageError, match="step_px=0"):
        WatershedSplitter(1.0, 10, step_px=0)
    with pytest.raises(UsageError, match="level=-1"):
        WatershedSplitter(-1.0, 10)
