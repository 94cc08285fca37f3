import numpy as np
import pytest
import torch

from relief.splitters.thing_regions import thing_regions


@pytest.mark.parametrize(("k", "dtype"), [(4, np.uint8), (255, np.uint8), (300, np.uint32)])
def test_things_are_numbered_by_id_and_all_else_is_none(k, dtype):
    things = torch.zeros(k, dtype=torch.bool)
    things[[1, k - 1]] = True
    regions = thing_regions(torch.tensor([[[0, 1, -1], [k - 1, 2, 1]]]), things)
    assert regions.tolist() == [[[0, 2, 0], [k, 0, 2]]]
    assert regions.dtype == dtype
