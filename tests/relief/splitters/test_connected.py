import torch

from relief.schema.observation import Observation
from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter
from tests.contracts.splitter import SplitterContract


def test_connected__filters_and_orders_by_area_per_image():
    semantic = torch.tensor([[[0, 2, 2, 1], [0, -1, 2, 1]], [[1, 1, 1, 1], [2, 0, 2, 2]]])
    things = torch.tensor([False, True, True])
    splitter = ConnectedSplitter(min_area_px=2)
    assert isinstance(splitter, Splitter)
    assert splitter.needs == frozenset()
    instance = splitter.split(Observation(semantic=semantic, things=things)).instance
    assert instance.dtype == torch.int64
    assert instance.tolist() == [[[0, 1, 1, 2], [0, 0, 1, 2]], [[1, 1, 1, 1], [0, 0, 2, 2]]]


def test_connected__touching_categories_stay_apart_beyond_255_ids():
    semantic = torch.tensor([[[299, 299, 255, 255, 254]]])
    things = torch.zeros(300, dtype=torch.bool)
    things[[255, 299]] = True
    observation = Observation(semantic=semantic, things=things)
    instance = ConnectedSplitter(min_area_px=1).split(observation).instance
    assert instance.tolist() == [[[2, 2, 1, 1, 0]]]


def test_connected__empty_batch():
    semantic = torch.zeros(0, 2, 3, dtype=torch.int64)
    observation = Observation(semantic=semantic, things=torch.ones(1, dtype=torch.bool))
    assert ConnectedSplitter(1).split(observation).instance.shape == (0, 2, 3)


class TestConnected(SplitterContract):
    def splitter(self):
        return ConnectedSplitter(min_area_px=4)
