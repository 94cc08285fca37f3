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
    for sign in (1, -1):
        background, source, _ = foreground_side(sign * three_corners, (3, 3))
        assert not bool(background[0, 0])
        assert source == 4
        kept, source, _ = foreground_side(sign * three_corners, (3, 3), "peak_only")
        assert bool(kept[0, 0])
        assert source == 0


def test_the_mean_itself_lies_on_the_side_of_the_background():
    foreground, source, sink = foreground_side(
        torch.tensor([0.0, 2, 0, 0, -1, 0, 0, -1, 0]), (3, 3)
    )
    assert foreground.flatten().nonzero().flatten().tolist() == [1]
    assert (source, sink) == (1, 4)


def square(top, left, side, size=(20, 20)):
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def taken(masks, **options):
    """Whether each of the given objects is kept, whatever the graph."""
    affinity, given = binarised(cosines(drawn(20, 20, 3))), iter(masks)
    found = iterate(affinity, (20, 20), len(masks), lambda *_: next(given), **options)
    return [bool(one.mask.any()) for one in found]


def test_an_object_repeats_the_one_before_above_an_iou_of_one_half():
    first, half, more = square(0, 0, 4), square(0, 0, 4), square(0, 0, 4)
    half[:2], more[0] = False, False
    assert taken([first, half]) == [True, True]
    assert taken([first, more]) == [True, False]
    assert taken([first, more, more]) == [True, False, True]  # compared with nothing


def test_an_object_of_the_least_share_is_too_small_from_the_second_on():
    small, larger = square(10, 10, 2), square(10, 10, 2)  # 1 % of 400 patches
    larger[12, 10] = True
    assert taken([small, square(0, 0, 4), small]) == [True, True, False]
    assert taken([square(0, 0, 4), larger]) == [True, True]
    assert taken([square(0, 0, 4), small], least_share=0.009) == [True, True]


def test_sixteen_patches_are_enough():
    features = drawn(8, 8, 3)[:, ::2, ::2]
    assert mask_cut(features).any()
    assert not mask_cut(features.reshape(16, 1, 16)[..., :15]).any()


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
