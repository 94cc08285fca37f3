import numpy as np
import pytest

from relief.metrics.instance_matches import match_instances
from tests.relief.metrics.test_instance_ap import instances

LEFT, RIGHT = (10, 10, 40, 40), (10, 80, 40, 40)


def fates(predicted, true):
    return {k: v.tolist() for k, v in vars(match_instances(predicted, true, "masks")).items()}


def test_every_instance_and_object_has_one_fate():
    half, again, alone = (10, 10, 18, 40), (12, 10, 40, 40), (90, 10, 20, 20)
    predicted = instances([half, LEFT, again, alone], [1] * 4, [0.9, 0.8, 0.7, 0.6])
    assert fates(predicted, instances([LEFT, RIGHT], [1, 1])) == {
        "right": [False, True, False, False],
        "doubled": [True, False, True, False],
        "wrong": [False, False, False, True],
        "found": [True, False],
        "missed": [False, True],
    }
    counts = match_instances(predicted, instances([LEFT, RIGHT], [1, 1]), "boxes").counts()
    assert counts == {"right": 1, "doubled": 2, "wrong": 1, "found": 1, "missed": 1}


def test_a_part_of_an_object_that_nobody_found_is_wrong():
    predicted = instances([(10, 10, 18, 40)], [1])
    assert fates(predicted, instances([LEFT], [1]))["wrong"] == [True]


def test_the_surest_instance_gets_the_object():
    predicted = instances([(12, 10, 40, 40), LEFT], [1, 1], [0.9, 0.2])
    assert fates(predicted, instances([LEFT], [1]))["right"] == [True, False]


def test_crowds_are_no_objects_and_what_lies_in_them_is_forgiven():
    predicted = instances([(12, 12, 10, 10)], [1])
    crowd = instances([LEFT], [1], crowd=[True])
    assert not any(any(which) for which in fates(predicted, crowd).values())


@pytest.mark.parametrize("nothing", [True, False])
def test_one_side_may_be_empty(nothing):
    some, none = instances([LEFT], [1]), instances([], [])
    found = fates(none, some) if nothing else fates(some, none)
    assert (found["missed"], found["wrong"]) == (([True], []) if nothing else ([], [True]))
    assert np.sum([len(which) for which in found.values()]) == (2 if nothing else 3)
