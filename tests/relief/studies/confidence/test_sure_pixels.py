import numpy as np
import pytest

from relief.metrics.scoring import Assignment, Scorer
from relief.schema.label_spaces import CITYSCAPES_19
from relief.studies.confidence.sure_pixels import (
    error_share,
    joined,
    miou_of_surest,
    pixel_curve,
)

# category, confidence in 1/255, true class, 0, pixels
TABLE = np.array(
    [
        [0, 250, 0, 0, 60],
        [1, 200, 2, 0, 20],
        [1, 100, 0, 0, 15],
        [0, 10, 2, 0, 5],
        [-1, 255, 0, 0, 0],
        [0, 255, -1, 0, 40],  # true void is left out
    ]
)
FITTED = Assignment(np.array([0, 2]), np.array([0, 2]))
SCORER = Scorer.of(CITYSCAPES_19, 2)


def test_the_surest_pixels_are_scored_as_if_there_were_no_others():
    assert error_share(TABLE, FITTED) == pytest.approx(0.2)
    assert miou_of_surest(TABLE, 0.8, SCORER, FITTED) == pytest.approx(100)
    every = 100 * (60 / 80 + 20 / 40) / 2
    assert miou_of_surest(TABLE, 1.0, SCORER, FITTED) == pytest.approx(every)
    assert miou_of_surest(TABLE, 0.9, SCORER, FITTED) == pytest.approx(
        100 * (60 / 75 + 20 / 35) / 2
    )


def test_a_curve_over_pixels_is_that_of_right_and_wrong_ones():
    curve = pixel_curve(TABLE, FITTED)
    assert curve.random == pytest.approx(0.2, abs=1e-4)
    assert curve.gain == pytest.approx(1, abs=1e-3)  # all that is wrong is less sure
    assert curve.at(0.8) == pytest.approx(0, abs=1e-6)


def test_tables_of_several_images_are_added():
    together = joined([TABLE, TABLE])
    assert together[:, 4].sum() == 2 * TABLE[:, 4].sum()
    assert len(together) == len(TABLE)
    assert error_share(together, FITTED) == pytest.approx(0.2)


def test_void_is_wrong_whatever_it_should_be():
    table = np.array([[-1, 200, 0, 0, 3], [0, 200, 0, 0, 1]])
    assert error_share(table, FITTED) == pytest.approx(0.75)
