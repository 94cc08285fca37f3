import numpy as np
import pytest

from relief.metrics.panoptic_figures import Classes, fit_assignment, panoptic_figures
from relief.metrics.protocols import PANOPTICAPI
from relief.ops.matching import assignment_rule

CLASSES = Classes.of(things=(13, 11), stuffs=(0, 2))


def test_classes_are_rows_in_ascending_order():
    assert CLASSES.ids.tolist() == [0, 2, 11, 13]
    assert CLASSES.is_thing.tolist() == [False, False, True, True]
    assert CLASSES.rows(np.array([13, 2, 1, -1, 99])).tolist() == [3, 1, -1, -1, -1]
    for things, stuffs in (((), ()), ((1,), (1,)), ((-1,), (0,))):
        with pytest.raises(ValueError, match="distinct ids"):
            Classes.of(things, stuffs)


def test_assignments_come_back_as_class_ids():
    counts = np.array([[9, 1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 0]])
    panoptic, semantic = fit_assignment(assignment_rule("majority"), counts, [1], CLASSES)
    assert panoptic.tolist() == semantic.tolist() == [0, 13, -1]


def test_figures_count_instances_over_all_images():
    table = np.array([[1, 1, 13, 1, 30], [1, 2, 13, 2, 5], [0, 0, 0, 0, 50]])
    predicted = CLASSES.clusters(np.array([0, 13]), np.array([False, True]))
    found = panoptic_figures(np.zeros(3, np.int64), table, 2, predicted, CLASSES, PANOPTICAPI)
    assert found.averages["pq"] == 1
    assert found.averages["instances_per_image"] == 1
    assert found.per_class[:, 0].tolist()[0] == 1
    assert found.totals["tp"].tolist() == [1, 0, 0, 2]
