import pytest
import torch
import torch.nn.functional as F

from relief.ops.window_features import WindowFeatures, enlargement_weights
from tests.relief.ops.largest_tensor import LargestTensor


def test_one_window_is_enlarged_bilinearly():
    weights = enlargement_weights([0], tokens=3, window_px=12, side_px=12)
    tokens = torch.tensor([1.0, 5.0, 2.0])
    expected = F.interpolate(tokens.view(1, 1, 3), 12, mode="linear")[0, 0]
    assert torch.allclose(weights @ tokens, expected)


def test_overlapping_windows_are_averaged():
    weights = enlargement_weights([0, 4], tokens=2, window_px=8, side_px=12)
    assert weights.shape == (12, 4)
    assert torch.allclose(weights.sum(dim=1), torch.ones(12))
    of_first, of_second = weights[:, :2].sum(dim=1), weights[:, 2:].sum(dim=1)
    assert of_first.tolist() == [1.0] * 4 + [0.5] * 4 + [0.0] * 4
    assert of_second.tolist() == [0.0] * 4 + [0.5] * 4 + [1.0] * 4


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    rows = enlargement_weights([0, 161, 322, 483], 23, 322, 805)
    columns = enlargement_weights([0, 100], 23, 322, 422)
    return WindowFeatures(torch.randn(6, 92, 46, generator=generator), rows, columns)


def test_tiles_and_blocks_change_nothing(features):
    centroids = F.normalize(torch.randn(50, 6, generator=torch.Generator().manual_seed(1)), dim=1)
    cosines = torch.einsum("kc,chw->khw", centroids, features.dense())
    best = cosines.max(dim=0).values
    for max_bytes in (2**28, 5 * 4 * 161**2, 1):
        clusters = features.clusters(centroids, max_bytes)
        assert clusters.shape == features.size == (805, 422)
        assert (best - cosines.gather(0, clusters[None])[0]).max() < 1e-5


def test_no_tensor_of_all_similarities_at_label_size(features):
    """The largest tensor that ever exists stays below k x H x W."""
    k = 200
    centroids = F.normalize(torch.randn(k, 6, generator=torch.Generator().manual_seed(1)), dim=1)

    with LargestTensor() as watch:
        features.clusters(centroids)
    assert 0 < watch.numel < k * 805 * 422 / 4


def test_constant_features_stay_constant():
    rows = enlargement_weights([0, 161], 23, 322, 483)
    columns = enlargement_weights([0], 23, 322, 322)
    features = WindowFeatures(torch.full((2, 46, 23), 3.0), rows, columns)
    assert torch.allclose(features.dense(), torch.tensor(3.0))
    assert torch.allclose(features.grid((5, 7)), torch.tensor(3.0))
