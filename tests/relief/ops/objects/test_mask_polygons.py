import cv2
import numpy as np
import pytest

from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import joined_polygon, mask_polygons, polygon_mask


def drawn(seed, size=(23, 31)):
    """Noise, blobs with holes, single pixels and pixels that touch by a corner."""
    random = np.random.default_rng(seed)
    noise = random.random(size).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 0.4 + seed % 3)
    return blurred > np.quantile(blurred, random.uniform(0.2, 0.9))


@pytest.mark.parametrize("seed", range(12))
def test_polygons_give_the_mask_back(seed):
    mask = drawn(seed)
    polygons = mask_polygons(mask)
    assert np.array_equal(decoded(polygon_mask(polygons, mask.shape)), mask)
    one = joined_polygon(polygons)
    assert np.array_equal(decoded(polygon_mask([one], mask.shape)), mask)


def test_a_square_has_four_corners_at_the_edges_of_its_pixels():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    (polygon,) = mask_polygons(mask)
    assert sorted(map(tuple, polygon.tolist())) == [(2, 1), (2, 4), (7, 1), (7, 4)]


def test_parts_come_largest_first_and_nothing_has_none():
    mask = np.zeros((9, 9), bool)
    mask[0, 0] = mask[4:8, 4:8] = True
    polygons = mask_polygons(mask)
    assert [len(polygon) for polygon in polygons] == [4, 4]
    assert polygons[0].min() == 4
    assert mask_polygons(np.zeros((3, 3), bool)) == []


def test_tolerance_needs_fewer_corners_and_stays_near():
    rows, columns = np.mgrid[:80, :80]
    mask = (rows - 40) ** 2 + (columns - 40) ** 2 < 900
    (exact,), (simple,) = mask_polygons(mask), mask_polygons(mask, tolerance_px=1)
    assert len(simple) < len(exact) / 4
    again = decoded(polygon_mask([simple], mask.shape))
    assert (again & mask).sum() / (again | mask).sum() > 0.95


@pytest.mark.parametrize(
    ("wrong", "told"),
    [([[0, 0], [1, 1]], "fewer than 3 corners"), ([[0, 0], [1, 1], [np.nan, 1]], "not finite")],
)
def test_what_is_no_polygon_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        polygon_mask([np.array(wrong)], (4, 4))
