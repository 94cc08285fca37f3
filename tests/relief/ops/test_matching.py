import itertools

import pytest
import torch

from relief.ops.matching import (
    ASSIGNMENTS,
    assignment_rule,
    cups_assignment,
    hungarian_assignment,
    hungarian_then_majority_assignment,
    identity_assignment,
    majority_assignment,
)

COUNTS = torch.tensor([[9, 1, 0], [8, 7, 0], [6, 6, 0], [0, 0, 0], [1, 2, 5]])


def test_identity_leaves_the_clusters_past_the_last_class():
    assert identity_assignment(COUNTS).tolist() == [0, 1, 2, -1, -1]


def test_majority_is_many_to_one_with_ties_to_the_lower_class():
    assert majority_assignment(COUNTS).tolist() == [0, 0, 0, -1, 2]


def test_hungarian_is_the_best_one_to_one():
    found = hungarian_assignment(COUNTS).tolist()
    assert found == [0, 1, -1, -1, 2]
    best = max(
        sum(int(COUNTS[k, c]) for c, k in enumerate(order))
        for order in itertools.permutations(range(5), 3)
    )
    assert sum(int(COUNTS[k, c]) for k, c in enumerate(found) if c >= 0) == best


def test_hungarian_with_fewer_clusters_than_classes():
    assert hungarian_assignment(torch.tensor([[0, 0, 4]])).tolist() == [2]


def test_clusters_left_over_join_their_majority():
    assert hungarian_then_majority_assignment(COUNTS).tolist() == [0, 1, 0, 0, 2]


def test_cups_keeps_things_and_stuff_apart():
    counts = torch.tensor([[1, 90, 0], [5, 80, 2], [3, 4, 9], [50, 60, 70]])
    assert cups_assignment(counts, (0, 1), (0, 2)).tolist() == [2, 0, 1, 1]
    assert cups_assignment(counts, (), (0, 2)).tolist()[3] == 1
    assert cups_assignment(counts, (0,), ()).tolist()[0] == -1


def test_cups_matches_pixels_without_parting_things_from_stuff():
    rule = assignment_rule("cups")
    counts = torch.tensor([[1, 9], [8, 2]])
    assert rule.panoptic(counts, [0], [0]).tolist() == [0, 1]
    assert rule.semantic(counts, [0], [0]).tolist() == [1, 0]


def test_every_rule_carries_its_name():
    assert list(ASSIGNMENTS) == ["identity", "majority", "hungarian", "cups"]
    assert all(rule.name == name for name, rule in ASSIGNMENTS.items())
    with pytest.raises(ValueError, match="identity, majority, hungarian, cups"):
        assignment_rule("greedy")
