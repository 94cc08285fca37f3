import numpy as np
import pytest
from scipy import ndimage

from relief.ops.splitting.reclaim import Partition, partition


def judged(category, edges, min_area_px, dilation_px):
    """The rule read aloud, one component after the other."""
    found = []
    for label in np.unique(category[category > 0]):
        in_category = category == label
        components, count = ndimage.label(in_category & ~edges)
        masks = [components == i for i in range(1, count + 1)]
        order = sorted(range(count), key=lambda i: (-masks[i].sum(), i))
        taken = np.zeros_like(in_category)
        for i in order:
            if masks[i].sum() < min_area_px:
                continue
            mask = masks[i]
            if dilation_px:
                near = ndimage.binary_dilation(mask, iterations=dilation_px)
                mask = mask | (near & in_category & ~taken)
            taken |= mask
            found.append((-mask.sum(), label, -masks[i].sum(), i, mask))
    found.sort(key=lambda entry: entry[:4])
    instance = np.zeros(category.shape, np.int64)
    for number, entry in reversed(list(enumerate(found, start=1))):
        instance[entry[4]] = number
    return instance, [0] + [entry[1] for entry in found]


@pytest.mark.parametrize("seed", range(150))
def test_partition__as_read_aloud_on_random_maps(seed):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 28, 2))
    coarse = rng.integers(0, 4, (7, 7))
    category = np.kron(coarse, np.ones((4, 4)))[: size[0], : size[1]].astype(np.uint8)
    category[rng.random(size) < 0.05] = 0
    edges = rng.random(size) < rng.choice([0.0, 0.15, 0.4])
    dilation_px = int(rng.integers(0, 5))
    parts = partition(category, edges, dilation_px)
    for min_area_px in (1, 2, 3, 5, 9, 20):
        instance, categories = judged(category, edges, min_area_px, dilation_px)
        np.testing.assert_array_equal(parts.instances(min_area_px), instance)
        np.testing.assert_array_equal(parts.categories(min_area_px), categories)
        large = partition(category, edges, dilation_px, least_area_px=min_area_px)
        np.testing.assert_array_equal(large.instances(min_area_px), instance)


def test_partition__grows_back_over_the_edge_to_the_larger_side():
    category = np.ones((1, 9), np.uint8)
    edges = np.zeros((1, 9), np.bool_)
    edges[0, 5] = True
    parts = partition(category, edges, dilation_px=1)
    np.testing.assert_array_equal(parts.instances(1), [[1, 1, 1, 1, 1, 1, 2, 2, 2]])
    np.testing.assert_array_equal(parts.core_area_px, [0, 5, 3])
    np.testing.assert_array_equal(parts.area_px, [0, 6, 3])
    np.testing.assert_array_equal(parts.instances(4), [[1, 1, 1, 1, 1, 1, 0, 0, 0]])


def test_partition__a_pixel_in_two_masks_goes_to_the_larger_final_mask():
    # The right part has fewer own pixels but grows by more, and keeps what the left one took.
    category = np.array([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], np.uint8)
    edges = np.zeros((1, 10), np.bool_)
    edges[0, [4, 7, 8, 9]] = True
    edges[0, 5:7] = False
    parts = partition(category, edges, dilation_px=3)
    np.testing.assert_array_equal(parts.owner, [[1, 1, 1, 1, 1, 1, 1, 2, 2, 2]])
    instance, _ = judged(category, edges, 1, 3)
    np.testing.assert_array_equal(parts.instances(1), instance)


def test_partition__equal_areas_lower_category_then_scan_order():
    category = np.array([[2, 2, 0, 1, 1, 0, 1, 1]], np.uint8)
    parts = partition(category)
    np.testing.assert_array_equal(parts.instances(1), [[3, 3, 0, 1, 1, 0, 2, 2]])
    np.testing.assert_array_equal(parts.categories(1), [0, 1, 1, 2])


def test_partition__nothing_there():
    parts = partition(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.bool_), 3)
    assert parts.instances(1).tolist() == [[0] * 4] * 3
    assert parts.categories(1).tolist() == [0]
    np.testing.assert_array_equal(parts.area_px, [0])


def test_instances_become_a_partition_as_they_are():
    instance = np.array([[0, 1, 1], [3, 3, 0]])
    parts = Partition.of(instance, np.array([[7, 5, 5], [6, 6, 7]], np.uint8))
    assert parts.area_px.tolist() == parts.core_area_px.tolist() == [0, 2, 0, 2]
    assert parts.category.tolist() == [0, 5, 0, 6]
    assert parts.instances(1).tolist() == [[0, 1, 1], [2, 2, 0]]
    assert Partition.of(np.zeros((0, 0), np.int64), np.zeros((0, 0))).area_px.tolist() == [0]
