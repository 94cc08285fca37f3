import numpy as np
import pytest

from relief.metrics.bootstrap import paired_precision_intervals
from relief.studies.scoring.instance_gains import gains_table
from tests.relief.metrics.test_coco_evaluation import table


def images(iou):
    return [table([[value]], [0.5]) for value in iou]


def test_a_gain_stands_with_its_interval_in_percentage_points():
    bad, good = images([0.1] * 8), images([0.1] * 2 + [0.9] * 6)
    rows = gains_table([("bad", bad), ("good", good), ("again", good)], [0, 1]).rows
    gain = paired_precision_intervals(bad, good)["ap50"]
    assert rows[0][0] == "good - bad"
    assert rows[0][3] == f"{100 * gain[0]:+.2f}"
    assert rows[0][4] == f"{100 * gain[1]:+.2f} to {100 * gain[2]:+.2f}"
    assert rows[0][5] == ""
    assert rows[1] == [
        "again - good",
        "+0.00",
        "+0.00 to +0.00",
        "+0.00",
        "+0.00 to +0.00",
        "may be chance",
    ]
    assert 0.0 < gain[1] < gain[0] < gain[2]
    with pytest.raises(ValueError, match="same images, got 8 and 2"):
        paired_precision_intervals(bad, good[:2])
    assert np.isfinite(gain).all()
