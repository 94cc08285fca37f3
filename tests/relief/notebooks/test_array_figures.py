import math

import numpy as np
import pytest

import relief
from relief.schema.errors import UsageError

TARGET = np.array([[[0, 0], [0, 0], [1, 1], [1, 2]]])  # road, two cars
JOINED = np.array([[[0, 0], [0, 0], [1, 1], [1, 1]]])  # the cars are one


def test_classes_are_measured():
    same = relief.panoptic_quality([TARGET], [TARGET], things=[1], stuffs=[0])
    assert (same["pq"], same["miou"]) == (1, 1)
    joined = relief.panoptic_quality([TARGET, JOINED], [TARGET, TARGET], things=[1], stuffs=[0])
    assert joined["pq_stuff"] == 1
    assert math.isclose(joined["pq_things"], 2 / (2 + 1 / 2 + 2 / 2))
    assert joined["per_class"].shape == (2, 3)


def test_clusters_meet_classes():
    clusters = np.array([[[2, 0], [0, 0], [1, 1], [1, 2]]])  # 0 and 2 are road
    figures = relief.panoptic_quality([clusters], [TARGET], [1], [0], thing_clusters=[1])
    assert figures["pq"] == 1
    assert figures["assignment"].tolist() == [0, 1, 0]
    given = relief.panoptic_quality(
        [clusters], [TARGET], [1], [0], thing_clusters=[1], assignment=[0, 1, -1]
    )
    assert given["pq_things"] == 1
    assert given["pq_stuff"] < 1


@pytest.mark.parametrize(
    ("predicted", "line"),
    [
        ([], "got 0 and 1"),
        ([TARGET[..., 0]], r"predicted\[0\] to be \(H, W, 2\)"),
        ([TARGET * 1.0], "float64"),
        ([TARGET[:, :2]], "differ in size"),
    ],
)
def test_what_does_not_fit_is_refused(predicted, line):
    with pytest.raises(UsageError, match=line):
        relief.panoptic_quality(predicted, [TARGET], [1], [0])


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        relief.nothing  # noqa: B018
