import numpy as np
import pytest
import torch
from scipy import ndimage

from relief.ops.splitting.components import (
    component_areas_px,
    connected_components,
    label_components,
)


def test_label_components__diagonal_does_not_join_and_labels_do_not_mix():
    labels = np.array([[1, 0, 2, 2], [0, 1, 2, 1], [1, 1, 1, 1]], dtype=np.uint8)
    components, count = label_components(labels)
    expected = [[1, 0, 2, 2], [0, 3, 2, 3], [3, 3, 3, 3]]
    np.testing.assert_array_equal(components, expected)
    assert count == 3
    np.testing.assert_array_equal(component_areas_px(components, count), [2, 1, 3, 6])


@pytest.mark.parametrize("seed", range(20))
def test_label_components__per_label_as_scipy_and_in_scan_order(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (rng.integers(1, 40), rng.integers(1, 60))).astype(np.uint32)
    components, count = label_components(labels)
    for label in range(1, 4):
        judged, number = ndimage.label(labels == label)
        pairs = np.unique(np.stack([judged, components])[:, labels == label], axis=1)
        assert pairs.shape[1] == number
    _, first = np.unique(components[components > 0], return_index=True)
    assert len(first) == count
    assert (np.diff(first) > 0).all()


def test_connected_components__negative_is_background_and_zero_is_a_label():
    labels = torch.tensor([[-1, 0, 0], [3, -1, 0], [3, 0, -1]])
    components, areas = connected_components(labels)
    assert components.tolist() == [[0, 1, 1], [2, 0, 1], [2, 3, 0]]
    assert areas.tolist() == [3, 3, 2, 1]
    assert components.dtype == areas.dtype == torch.int64


def test_connected_components__nothing_there():
    components, areas = connected_components(torch.full((2, 3), -1))
    assert components.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert areas.tolist() == [6]
