import numpy as np

from relief.ops.splitting.split_tree import gradient_tree
from relief.ops.splitting.stable_branches import Branches


def walls(*heights, width=10, rows=12):
    """Flat rooms of 10 columns beside each other with walls of one column between them."""
    gradient = np.full((rows, (width + 1) * (len(heights) + 1) - 1), 0.01)
    for index, height in enumerate(heights):
        gradient[:, (width + 1) * (index + 1) - 1] = height
    return gradient


def branches_of(gradient, min_area_px=20, floor=1e-9):
    tree = gradient_tree(np.ones(gradient.shape, np.uint8), gradient)
    return tree, Branches.of(tree, min_area_px, floor)


ROOM_PX, WALL_PX = 120, 12  # pixels of a wall join a room at the level at which it ends


def test_rooms_are_branches_from_their_floor_to_the_lowest_wall():
    _, branches = branches_of(walls(0.1, 0.4))
    rooms = branches.area_px <= ROOM_PX + 2 * WALL_PX
    assert rooms.sum() == 3
    np.testing.assert_allclose(np.exp(branches.lowest[rooms]), 0.01, rtol=1e-6)
    np.testing.assert_allclose(sorted(np.exp(branches.until[rooms])), [0.1, 0.1, 0.4], rtol=1e-6)
    of_two = (branches.area_px > 2 * ROOM_PX) & (branches.area_px < 3 * ROOM_PX)
    np.testing.assert_allclose(np.exp(branches.lowest[of_two]), 0.1, rtol=1e-6)
    life = np.log(0.1 / 0.01)
    np.testing.assert_allclose(sorted(branches.mass[rooms])[:2], ROOM_PX * life, rtol=1e-5)


def test_a_branch_knows_the_one_that_it_falls_out_of():
    _, branches = branches_of(walls(0.1, 0.4))
    pair = int(np.flatnonzero((branches.area_px > 240) & (branches.area_px < 300))[0])
    assert (branches.parent == pair).sum() == 2
    root = branches.parent[pair]
    assert branches.parent[root] == -1


def test_what_lives_long_is_chosen_and_nothing_within_it():
    _, branches = branches_of(walls(0.4, 0.4))
    assert len(branches.most_stable()) == 3
    tree, joined = branches_of(walls(0.011, 0.4))  # two rooms are hardly parted
    chosen = joined.most_stable()
    assert [area // ROOM_PX for area in sorted(joined.area_px[chosen])] == [1, 2]
    marked = np.zeros(len(tree.parent), bool)
    marked[joined.top[chosen]] = True
    inside = tree.nearest(marked).reshape(12, -1)
    assert inside[5, 4] == inside[5, 15] != inside[5, 26]
    assert inside.min() >= -1


def test_depth_of_another_scale_gives_the_same_branches():
    generator = np.random.default_rng(0)
    gradient = generator.random((30, 40)).cumsum(1) % 0.3 + 0.01
    _, branches = branches_of(gradient)
    _, halved = branches_of(gradient / 2)
    assert branches.top.tolist() == halved.top.tolist()
    assert len(branches.top) > 3
    np.testing.assert_allclose(branches.mass, halved.mass, rtol=1e-5)


def test_parts_that_are_too_small_part_nothing():
    _, branches = branches_of(walls(0.1, 0.4), min_area_px=121)
    assert len(branches.top) == 1 or branches.area_px.min() > 121
    _, none = branches_of(walls(0.1), min_area_px=1000)
    assert len(none.top) == 0
    assert none.most_stable().tolist() == []
