import pytest
import torch

from relief.ops.objects.object_agreement import best_overlaps, object_agreement

FIRST = torch.tensor([[1, 1, 1, 0, 2, 2, 0, 3]])


def test_objects_are_shared_where_they_overlap_by_more_than_half():
    second = torch.tensor([[7, 7, 0, 0, 9, 9, 9, 9]])  # 2 of 3; 2 of 4; the third inside the second
    found = object_agreement(FIRST, second)
    assert (found.first, found.second, found.shared) == (3, 2, 1)
    assert found.thing_px.tolist() == [6, 6]
    assert found.both_px == 5
    assert found.agreement == pytest.approx(2 / 5)


def test_the_same_objects_under_other_numbers_agree():
    found = object_agreement(FIRST, torch.tensor([0, 5, 2, 9])[FIRST])
    assert (found.shared, found.agreement) == (3, 1.0)


def test_no_objects_at_all_is_agreement_too():
    nothing = torch.zeros_like(FIRST)
    assert object_agreement(nothing, nothing).agreement == 1.0
    assert object_agreement(FIRST, nothing).agreement == 0.0
    with pytest.raises(ValueError, match="of one size"):
        object_agreement(FIRST, nothing[:, 1:])


def test_each_object_has_the_iou_of_its_best_match():
    second = torch.tensor([[7, 7, 0, 0, 9, 9, 9, 9]])
    assert best_overlaps(FIRST, second).tolist() == pytest.approx([1, 2 / 3, 2 / 4, 1 / 4])
    assert best_overlaps(FIRST, torch.zeros_like(FIRST)).tolist() == [1, 0, 0, 0]
    with pytest.raises(ValueError, match="Expected maps of one size"):
        best_overlaps(FIRST, second[:, 1:])
