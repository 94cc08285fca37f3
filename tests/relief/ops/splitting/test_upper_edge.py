import numpy as np
import pytest

from relief.ops.splitting.upper_edge import share_in_front


def test_a_share_of_the_upper_edge_is_counted_pixel_by_pixel():
    random = np.random.default_rng(0)
    instance = random.integers(0, 4, (5, 6)).repeat(4, 0).repeat(4, 1)
    depth = random.random((20, 24))
    share = share_in_front(instance, depth, least_step=0.1, inside_px=1, outside_px=3)
    for number in range(1, 4):
        steps = [
            depth[max(row - 3, 0), column] - depth[min(row + 1, 19), column] > 0.1
            for row in range(1, 20)
            for column in range(24)
            if instance[row, column] == number != instance[row - 1, column]
        ]
        assert share[number] == pytest.approx(np.mean(steps))


def test_what_goes_on_above_or_is_nearer_there_is_not_in_front():
    instance = np.zeros((24, 30), np.int64)
    depth = np.full((24, 30), 0.5)
    for number, (left, above) in enumerate([(0, 0.9), (10, 0.5), (20, 0.1)], start=1):
        instance[12:, left : left + 10] = number
        depth[:12, left : left + 10] = above
    assert share_in_front(instance, depth).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("rows", [24, 2])
def test_the_border_of_the_image_is_no_edge_and_nothing_has_none(rows):
    instance = np.ones((rows, 8), np.int64)
    depth = np.tile(np.linspace(1, 0, rows)[:, None], 8)
    assert share_in_front(instance, depth).tolist() == [0, 0]
    assert share_in_front(0 * instance, depth).tolist() == [0]
