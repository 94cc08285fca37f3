import numpy as np
import pytest

from relief.metrics.classes import Classes
from relief.metrics.panoptic_statistics import Categories
from relief.metrics.protocols import CUPS, PANOPTICAPI
from relief.studies.sweeps.filtered_statistics import filtered_counts, spanned
from tests.relief.studies.sweeps.test_filtered_segments import AREAS_PX, segments

CLASSES = Classes.of(things=(1,), stuffs=(0,))
CATEGORIES = Categories(np.array([0, -1, -1, -1, -1, 1, 1, -1]), np.arange(8) > 4)


def counted(protocol=PANOPTICAPI):
    return filtered_counts(*segments(), (len(AREAS_PX), 2), CATEGORIES, CLASSES, protocol)


def test_matches_by_hand_follow_the_filter():
    counts = counted()
    # Object 1 has 107 pixels, 7 of them in no component; object 2 has 42; stuff has 813.
    assert counts.tp[:, 0].tolist() == [[1, 2], [1, 2], [1, 1]]
    assert counts.fp[:, 0].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert counts.fn[:, 0].tolist() == [[0, 0], [0, 0], [0, 1]]
    assert counts.predicted_things.tolist() == [6, 4, 2]
    assert counts.true_things == 4
    things = [100 / 107 + 1, 100 / 107 + 42 / 45, 100 / 109]
    assert counts.iou_sum[:, 0, 1] == pytest.approx(things)
    assert counts.iou_sum[:, 0, 0] == pytest.approx(800 / 813)
    assert np.array_equal(counts.iou_sum[:, 0], counts.iou_sum[:, 1])


def test_a_protocol_under_which_true_areas_change_is_refused():
    with pytest.raises(ValueError, match="forgive"):
        counted(CUPS)


def test_sums_of_what_counts_for_a_while():
    spans = (np.array([0, 1]), np.array([2, 3]))
    assert spanned(np.array([1, 0]), np.array([5, 7]), spans, 3, 2).tolist() == [
        [0, 5], [7, 5], [7, 0]
    ]  # fmt: skip
