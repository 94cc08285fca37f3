import torch

from relief.ops.objects.carried_ids import CarriedIds


def frame(*objects, size=(6, 24)):
    """Objects (category, number, left, right) over all rows; the rest is stuff 0."""
    panoptic = torch.zeros(*size, 2, dtype=torch.int64)
    for category, number, left, right in objects:
        panoptic[:, left:right] = torch.tensor([category, number])
    return panoptic


def numbers(panoptic):
    """Number by left column of every object."""
    row = panoptic[0, :, 1].tolist()
    return {i: n for i, n in enumerate(row) if n and (i == 0 or row[i - 1] != n)}


def test_objects_keep_their_numbers_whatever_the_frame_calls_them():
    carry = CarriedIds()
    assert numbers(carry(frame((1, 1, 0, 6), (1, 2, 10, 16)))) == {0: 1, 10: 2}
    assert numbers(carry(frame((1, 2, 1, 7), (1, 1, 11, 17)))) == {1: 1, 11: 2}


def test_categories_and_the_rest_of_the_map_stay():
    moved = CarriedIds()(given := frame((1, 7, 0, 6), (2, 3, 6, 9)))
    assert torch.equal(moved[..., 0], given[..., 0])
    assert torch.equal(moved[..., 1] > 0, given[..., 1] > 0)


def test_another_object_gets_a_new_number():
    carry = CarriedIds(min_iou=0.3)
    carry(frame((1, 1, 0, 6)))
    assert numbers(carry(frame((1, 1, 5, 11)))) == {5: 2}  # 1 of 11 columns
    assert numbers(carry(frame((2, 1, 5, 11)))) == {5: 3}  # another category


def test_the_better_overlap_goes_first_and_a_number_is_given_once():
    carry = CarriedIds(min_iou=0.1)
    carry(frame((1, 1, 0, 12)))
    assert numbers(carry(frame((1, 1, 0, 3), (1, 2, 3, 12)))) == {0: 2, 3: 1}


def test_an_object_is_remembered_for_some_frames():
    carry = CarriedIds(patience=2)
    carry(frame((1, 1, 0, 6)))
    for _ in range(2):
        carry(frame())
    assert numbers(carry(frame((1, 1, 0, 6)))) == {0: 1}
    for _ in range(3):
        carry(frame())
    assert numbers(carry(frame((1, 1, 0, 6)))) == {0: 2}


def test_another_size_begins_anew():
    carry = CarriedIds()
    carry(frame((1, 1, 0, 6)))
    assert numbers(carry(frame((1, 1, 0, 6), size=(4, 24)))) == {0: 2}
