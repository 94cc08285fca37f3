import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from relief.ops.cuts.spatial_importance import sharpen, spatial_importance
from tests.relief.ops.cuts.golden import PATH, scene, scenes


@pytest.mark.parametrize("name", scenes("i"))
def test_importance_is_the_reference(name):
    golden = scene("i", name)
    found = spatial_importance(golden["depth"], float(golden["sigma"]), float(golden["beta"]))
    torch.testing.assert_close(found, golden["importance"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pairing", ["mean", "product"])
@pytest.mark.parametrize("direction", ["lift", "suppress"])
def test_sharpened_similarities_are_the_reference(pairing, direction):
    with np.load(PATH, allow_pickle=False) as file:
        similarity, importance, expected = (
            torch.from_numpy(file[name])
            for name in ("a/similarity", "a/importance", f"a/sharpened/{pairing}/{direction}")
        )
    found = sharpen(similarity, importance, pairing, direction)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found, found.T)
    assert not found[similarity <= 0].any()


def test_importance_follows_its_formula_on_other_maps():
    depth = torch.from_numpy(np.random.default_rng(11).random((7, 30)))
    values = ((depth - depth.min()) / (depth.max() - depth.min())).numpy()
    blurred = values
    for axis in (0, 1):
        blurred = gaussian_filter1d(blurred, 2.0, axis, mode="reflect", truncate=4.0)
    edge = np.abs(blurred - values)
    expected = 0.7 * (edge - edge.min()) / (edge.max() - edge.min()) + 0.3
    found = spatial_importance(depth, sigma=2.0, beta=0.3)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert float(found.min()) == pytest.approx(0.3)
    assert float(found.max()) == pytest.approx(1.0)
    np.testing.assert_allclose(spatial_importance(5 * depth + 2, 2.0, 0.3), found, atol=1e-9)


def test_no_power_makes_anything_of_nothing():
    similarity = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert torch.equal(sharpen(similarity, torch.ones(2)), similarity.double())  # 0 to the power 0
