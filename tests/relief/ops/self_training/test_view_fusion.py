import pytest
import torch

from relief.ops.self_training.view_fusion import average_views, least_entropy_view, view_affines
from tests.relief.ops.thesis_golden import golden

SIZE = (24, 48)


def test_affines_are_the_published_ones_and_invert_each_other():
    to_reference, from_reference = view_affines(golden("fusion/params"), SIZE)
    torch.testing.assert_close(to_reference, golden("fusion/affine"), atol=1e-6, rtol=0)
    torch.testing.assert_close(from_reference, golden("fusion/affine_inv"), atol=1e-6, rtol=0)
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(to_reference), 1, 3)
    both = torch.cat((to_reference, last), 1) @ torch.cat((from_reference, last), 1)
    torch.testing.assert_close(both, torch.eye(3).expand_as(both), atol=1e-5, rtol=0)


@pytest.mark.parametrize("image", [0, 1])
@pytest.mark.parametrize(
    "fuse, name", [(average_views, "average"), (least_entropy_view, "min_entropy")]
)
def test_fused_views_are_the_published_ones(image, fuse, name):
    own = slice(4 * image, 4 * image + 4)
    affines = view_affines(golden("fusion/params"), SIZE)
    found = fuse(
        golden("fusion/probabilities")[own],
        *(one[own] for one in affines),
        golden("fusion/ignore")[own],
    )
    torch.testing.assert_close(found, golden(f"fusion/{name}")[own], atol=1e-5, rtol=0)


def test_a_view_beside_the_others_sees_nothing_of_them():
    left = [0.0, -12.0, 0.0, 2.0, 1.0]  # the left and the right half, magnified
    right = [0.0, 12.0, 0.0, 2.0, 1.0]
    affines = view_affines(torch.tensor([left, right]), SIZE)
    probabilities = torch.zeros(2, 2, *SIZE)
    probabilities[0, 0], probabilities[1, 1] = 1, 1
    fused = average_views(probabilities, *affines)
    assert (fused[0, 0, 2:-2, 4:-4] > 0.99).all()
    assert (fused[1, 1, 2:-2, 4:-4] > 0.99).all()
    hidden = average_views(probabilities, *affines, torch.ones(2, *SIZE, dtype=torch.bool))
    assert not hidden.any()


def test_zoomed_views_are_weighted_in_the_frame_where_they_overlap():
    """The published code applies the coverage of a view in the frame of the image."""
    whole, centre = [0.0, 0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 2.0, 1.0]
    affines = view_affines(torch.tensor([whole, centre]), SIZE)
    probabilities = torch.zeros(2, 2, *SIZE)
    probabilities[0, 0], probabilities[1, 1] = 1, 1
    fused = average_views(probabilities, *affines)
    assert fused[0, :, 12, 24].tolist() == pytest.approx([0.5, 0.5])
    assert fused[0, :, 2, 2].tolist() == pytest.approx([1, 0])  # only the whole view is there


def test_rotations_are_refused():
    with pytest.raises(ValueError, match="angles of 0"):
        view_affines(torch.tensor([[0.0, 0.0, 0.1, 1.0, 1.0]]), SIZE)
