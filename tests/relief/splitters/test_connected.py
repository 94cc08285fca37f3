import torch

from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter


def test_connected__filters_and_orders_by_area_per_image():
    semantic = torch.tensor([[[0, 2, 2, 1], [0, -1, 2, 1]], [[1, 1, 1, 1], [2, 0, 2, 2]]])
    things = torch.tensor([False, True, True])
    splitter = ConnectedSplitter(min_area_px=2)
    assert isinstance(splitter, Splitter)
    assert not splitter.needs_depth
    instance = splitter(semantic, None, things)
    assert instance.dtype == torch.int64
    assert instance.tolist() == [[[0, 1, 1, 2], [0, 0, 1, 2]], [[1, 1, 1, 1], [0, 0, 2, 2]]]


def test_connected__touching_categories_stay_apart_beyond_255_ids():
    semantic = torch.tensor([[[299, 299, 255, 255, 254]]])
    things = torch.zeros(300, dtype=torch.bool)
    things[[255, 299]] = True
    instance = ConnectedSplitter(min_area_px=1)(semantic, None, things)
    assert instance.tolist() == [[[2, 2, 1, 1, 0]]]


def test_connected__empty_batch():
    semantic = torch.zeros(0, 2, 3, dtype=torch.int64)
    assert ConnectedSplitter(1)(semantic, None, torch.ones(1, dtype=torch.bool)).shape == (0, 2, 3)
