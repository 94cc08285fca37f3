import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relief.ops.panoptic import (
    compact_ids,
    compact_pairs,
    count_instances,
    joint_counts,
    numbered_objects,
    segment_table,
    segment_table_of_ids,
)


def pairs(*rows):
    return torch.tensor(rows, dtype=torch.int64)


def test_segment_table_of_a_map_drawn_by_hand():
    predicted = pairs([[3, 1], [3, 1], [0, 0]], [[3, 2], [-1, 0], [0, 0]])
    true = pairs([[5, 7], [5, 7], [1, 0]], [[5, 7], [5, 8], [-1, 0]])
    assert segment_table(predicted, true).tolist() == [
        [-1, 0, 5, 8, 1],
        [0, 0, -1, 0, 1],
        [0, 0, 1, 0, 1],
        [3, 1, 5, 7, 2],
        [3, 2, 5, 7, 1],
    ]


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 400, 10**6, 2**40]))
@settings(max_examples=60, deadline=None)
def test_segment_table_counts_every_pixel_pair(seed, span):
    random = np.random.default_rng(seed)
    predicted = torch.from_numpy(random.integers(-1, span, (5, 7, 2)))
    true = torch.from_numpy(random.integers(-1, 3, (5, 7, 2)))
    rows, counts = np.unique(
        np.concatenate([predicted.reshape(-1, 2), true.reshape(-1, 2)], 1),
        axis=0,
        return_counts=True,
    )
    expected = np.concatenate([rows, counts[:, None]], 1).tolist()
    assert segment_table(predicted, true).tolist() == expected


def test_compact_pairs_gives_the_map_back():
    map_ = torch.randint(-1, 5, (6, 8, 2), generator=torch.Generator().manual_seed(0))
    ids, found = compact_pairs(map_)
    assert ids.dtype == torch.int32
    assert torch.equal(found[ids.long()], map_)
    assert found.tolist() == sorted(found.tolist())
    assert len(found) == len(torch.unique(map_.reshape(-1, 2), dim=0))


def test_compact_ids_are_those_that_occur():
    ids, old = compact_ids(torch.tensor([[7, 2], [2, 9]]), 12)
    assert ids.tolist() == [[1, 0], [0, 2]]
    assert old.tolist() == [2, 7, 9]


def test_joint_counts_past_32_bits_of_code():
    predicted = torch.tensor([0, 1], dtype=torch.int32)
    counts = joint_counts(predicted, torch.tensor([3, 0], dtype=torch.int32), 2, 4)
    assert counts.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_ids_and_pairs_agree():
    generator = torch.Generator().manual_seed(1)
    predicted, true = (torch.randint(0, 4, (9, 9, 2), generator=generator) for _ in range(2))
    (a, pa), (b, pb) = compact_pairs(predicted), compact_pairs(true)
    assert torch.equal(segment_table_of_ids(a, b, pa, pb), segment_table(predicted, true))


def test_maps_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        segment_table(torch.zeros(2, 2, 2).long(), torch.zeros(2, 3, 2).long())


@pytest.mark.parametrize("shape", [(0, 4, 2), (1, 1, 2), (1, 2, 2), (3, 1, 2)])
def test_tiny_and_empty_maps(shape):
    map_ = torch.ones(shape, dtype=torch.int64)
    rows = segment_table(map_, map_).tolist()
    assert rows == ([[1, 1, 1, 1, shape[0] * shape[1]]] if shape[0] else [])


def test_a_map_that_is_not_contiguous():
    generator = torch.Generator().manual_seed(2)
    planes = torch.randint(-1, 3, (2, 2, 6, 5), generator=generator)
    pred, true = planes.movedim(1, -1)
    assert torch.equal(segment_table(pred, true), segment_table(pred.clone(), true.contiguous()))


def test_one_number_in_two_categories_is_two_objects():
    panoptic = torch.tensor([[[1, 7], [2, 7], [2, 7], [0, 0], [-1, 0]]])
    assert numbered_objects(panoptic).tolist() == [[1, 2, 2, 0, 0]]
    assert numbered_objects(panoptic[:, :3]).tolist() == [[1, 2, 2]]
    assert count_instances(panoptic) == 2
    assert count_instances(panoptic[:, 3:]) == 0
