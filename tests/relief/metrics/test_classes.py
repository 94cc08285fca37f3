import numpy as np
import pytest

from relief.metrics.classes import Classes


def test_classes_are_rows_in_ascending_order():
    classes = Classes.of(things=(13, 11), stuffs=(0, 2))
    assert classes.ids.tolist() == [0, 2, 11, 13]
    assert classes.is_thing.tolist() == [False, False, True, True]
    assert classes.rows(np.array([13, 2, 1, -1, 99])).tolist() == [3, 1, -1, -1, -1]


@pytest.mark.parametrize(("things", "stuffs"), [((), ()), ((1,), (1,)), ((-1,), (0,))])
def test_classes_are_distinct_ids(things, stuffs):
    with pytest.raises(ValueError, match="distinct ids"):
        Classes.of(things, stuffs)
