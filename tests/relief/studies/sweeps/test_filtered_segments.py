import numpy as np

from relief.studies.sweeps.filtered_segments import filtered_segments
from relief.studies.sweeps.split_tables import CutTable

AREAS_PX = [1, 20, 50]
PAIRS = np.array([[5, 1, 1], [6, 1, 2], [6, 0, 0]])
STUFF = np.array([[0, 0, 0, 800]])
# 2 pixels of the second component fall to the first, 3 of the third to the second.
ROWS = np.array(
    [[1, 0, 0, 100], [2, 0, 1, 40], [2, 1, 1, 2], [3, 0, 2, 10], [3, 2, 2, 3], [0, 0, 0, 7]]
)
CORE = np.array([0, 100, 42, 13])


def segments():
    table = CutTable(ROWS, CORE, CORE, np.zeros_like(CORE))
    return filtered_segments([table, table], [(PAIRS, STUFF)] * 2, AREAS_PX, num_clusters=8)


def test_a_component_has_a_version_for_each_change_of_its_pixels():
    versions, _ = segments()
    pixels = np.bincount(versions.of_row, weights=versions.pixels)
    found = list(zip(versions.image, versions.first, versions.last, pixels, strict=True))
    of_image = [(0, 2, 100), (2, 3, 102), (0, 1, 42), (1, 2, 45), (0, 1, 13)]
    assert found == [(image, *one) for image in range(2) for one in of_image]
    assert versions.category.tolist() == [5, 5, 6, 6, 6] * 2


def test_every_pixel_counts_once_under_each_filter():
    versions, others = segments()
    for filtered in range(len(AREAS_PX)):
        there = (versions.first <= filtered) & (filtered < versions.last)
        loose = (others.first <= filtered) & (filtered < others.last)
        pixels = versions.pixels[there[versions.of_row]].sum() + others.pixels[loose].sum()
        assert pixels == 2 * (ROWS[:, 3].sum() + 800)
    assert others.pixels[others.first == 0].tolist() == [7, 7, 800, 800]


def test_images_without_components():
    none = CutTable(ROWS[-1:], CORE[:1], CORE[:1], CORE[:1])
    versions, others = filtered_segments([none], [(PAIRS, STUFF)], AREAS_PX, num_clusters=8)
    assert len(versions.image) == 0
    assert others.pixels.tolist() == [7, 800]
