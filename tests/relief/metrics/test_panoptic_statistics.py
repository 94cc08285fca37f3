import numpy as np
import pytest

from relief.metrics.classes import Classes
from relief.metrics.panoptic_statistics import number_combinations, panoptic_statistics
from relief.metrics.protocols import CUPS, PANOPTICAPI, SEED

CLASSES = Classes.of(things=(1,), stuffs=(0,))
VOID = (-1, 0)
# (predicted, true, pixels) of one image: half of object 1 found, the rest left void;
# object 2 mostly under predicted void; a prediction mostly inside the group region.
ROWS = [
    ((1, 1), (1, 1), 40),
    (VOID, (1, 1), 60),
    ((0, 0), (1, 2), 20),
    (VOID, (1, 2), 80),
    ((1, 2), (1, 0), 70),
    ((1, 2), (0, 0), 30),
    ((0, 0), (0, 0), 500),
    ((0, 0), VOID, 400),
]


def statistics(protocol, rows=ROWS):
    table = np.array([[*p, *t, n] for p, t, n in rows], dtype=np.int64)
    image = np.zeros(len(table), np.int64)
    categories = CLASSES.categories()
    return panoptic_statistics(image, table, 1, categories, categories, CLASSES.is_thing, protocol)


@pytest.mark.parametrize(
    ("protocol", "tp", "fp", "fn", "iou"),
    [
        (PANOPTICAPI, [1, 0], [0, 1], [0, 2], [500 / 550, 0]),
        (CUPS, [1, 2], [0, 0], [0, 0], [500 / 550, 40 / 40 + 70 / 100]),
        (SEED, [1, 0], [0, 2], [0, 2], [500 / 950, 0]),
    ],
)
def test_void_and_groups_by_protocol(protocol, tp, fp, fn, iou):
    found = statistics(protocol)
    assert found.tp.tolist() == [tp]
    assert found.fp.tolist() == [fp]
    assert found.fn.tolist() == [fn]
    np.testing.assert_allclose(found.iou_sum, [iou], atol=1e-12)
    assert found.predicted_things.tolist() == [2]
    assert found.true_things.tolist() == [2]


def test_small_segments_do_not_exist_for_the_seed():
    rows = [((1, 1), (1, 1), 9), ((0, 0), (0, 0), 63)]
    assert statistics(PANOPTICAPI, rows).tp.tolist() == [[1, 1]]
    small = statistics(SEED, rows)
    assert not (small.tp.any() or small.fp.any() or small.fn.any())
    assert small.predicted_things.tolist() == [1]


def test_half_is_not_enough():
    rows = [((0, 0), (0, 0), 50), (VOID, (0, 0), 50)]
    found = statistics(PANOPTICAPI, rows)
    assert (found.tp[0, 0], found.fp[0, 0], found.fn[0, 0]) == (0, 1, 1)


@pytest.mark.parametrize("high", [3, 2**40])
def test_combinations_are_numbered_in_order(high):
    random = np.random.default_rng(0)
    columns = [random.integers(0, 3, 50) * high for _ in range(3)]
    number, first = number_combinations(columns)
    rows = np.stack(columns, 1)
    expected, index = np.unique(rows, axis=0, return_inverse=True)
    assert number.tolist() == index.reshape(-1).tolist()
    assert rows[first].tolist() == expected.tolist()
