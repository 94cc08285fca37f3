import numpy as np
import pytest
import torch

from relief.ops.cuts.normalized_cut import (
    bisect,
    component_of,
    foreground_side,
    iterate,
    mask_cut,
)
from relief.ops.cuts.patch_graph import binarised, cosines, second_eigenvector
from relief.schema.errors import ReadError
from tests.relief.ops.cuts.golden import scene, scenes
from tests.relief.ops.cuts.test_patch_graph import drawn

EMPTY_WITHOUT_SEED = 3


@pytest.mark.parametrize("name", scenes("m"))
def test_every_iteration_is_the_published_one(name):
    golden = scene("m", name)
    size = tuple(golden["features"].shape[1:])
    similarity, threshold = cosines(golden["features"]), float(golden["threshold"])
    kept = []
    affinity = binarised(similarity, threshold)
    found = iterate(affinity, size, 3, lambda cut, _: component_of(cut.foreground, cut.source))
    assert len(found) == int((golden["drop"] != EMPTY_WITHOUT_SEED).sum())
    for index, one in enumerate(found):
        expected = golden["vector"][index].reshape(-1).numpy()
        np.testing.assert_allclose(one.bisection.vector, expected, atol=1e-6 * expected.max())
        np.testing.assert_array_equal(one.bisection.foreground, golden["foreground"][index])
        assert one.bisection.source == int(golden["seed"][index])
        assert one.bisection.sink == int(golden["sink"][index])
        component = component_of(one.bisection.foreground, one.bisection.source)
        np.testing.assert_array_equal(component, golden["component"][index])
        assert one.mask.any() == (int(golden["drop"][index]) == 0)
        kept.append(one.mask)


@pytest.mark.parametrize("name", scenes("m"))
def test_masks_are_the_published_ones_under_both_reversals(name):
    golden = scene("m", name)
    threshold = float(golden["threshold"])
    assert torch.equal(mask_cut(golden["features"], threshold), golden["masks"])
    peak = mask_cut(golden["features"], threshold, reversal="peak_only")
    assert torch.equal(peak, golden["masks_peak_rule_only"])


def test_the_two_reversals_differ_where_the_object_holds_three_corners():
    golden = scene("m", "corners_first")
    assert not torch.equal(golden["masks"], golden["masks_peak_rule_only"])


def test_the_side_does_not_depend_on_the_sign():
    vector = torch.tensor([0.9, 0.1, 0.1, 0.1, -0.1, -0.2, 0.0, -0.3, -0.2])
    for sign in (1, -1):
        foreground, source, sink = foreground_side(sign * vector, (3, 3))
        assert (source, sink) == (0, 7)
        assert foreground.flatten().tolist() == (vector > vector.mean()).tolist()
    three_corners = torch.tensor([0.9, 0.1, 0.5, 0.1, -0.6, 0.1, 0.5, 0.1, -0.5])
    background, source, _ = foreground_side(three_corners, (3, 3))
    assert not bool(background[0, 0])
    assert source == 4
    kept, source, _ = foreground_side(three_corners, (3, 3), "peak_only")
    assert bool(kept[0, 0])
    assert source == 0


def test_a_painted_patch_gets_its_entry_from_the_formula():
    similarity = cosines(drawn(12, 12, 3))
    painted = np.zeros((12, 12), bool)
    painted[2:5, 2:5] = True
    cut = bisect(binarised(similarity), painted)
    left = torch.from_numpy(~painted.flatten())
    affinity = binarised(similarity * left[:, None] * left[None])  # features of zeros
    torch.testing.assert_close(
        torch.from_numpy(cut.vector), second_eigenvector(affinity, dense=True), atol=1e-9, rtol=0
    )
    degree, vector = affinity.sum(1), torch.from_numpy(cut.vector)
    eigenvalue = float((vector * (degree * vector - affinity @ vector)).sum())
    expected = float(vector.mean()) / (1 - eigenvalue)
    np.testing.assert_allclose(vector[torch.from_numpy(painted).flatten()], expected, rtol=1e-6)


def test_a_dropped_object_can_end_the_search():
    golden = scene("m", "overlap_dropped")
    features = golden["features"]
    masks = mask_cut(features, float(golden["threshold"]), repeat_dropped=False)
    assert torch.equal(masks[0], golden["masks"][0])
    assert not masks[1:].any()


def test_nothing_to_cut_has_no_object_and_what_is_not_finite_is_told():
    assert not mask_cut(torch.ones(8, 10, 10)).any()
    assert mask_cut(torch.rand(8, 3, 5)).shape == (3, 3, 5)
    assert not mask_cut(torch.rand(8, 3, 5)).any()
    broken = torch.rand(8, 10, 10)
    broken[0, 3, 4] = torch.nan
    with pytest.raises(ReadError, match="not finite"):
        mask_cut(broken)
