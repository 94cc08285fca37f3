from __future__ import annotations

import cv2
import numpy as np
import pytest

from relief.samples.measures import (
    GroundTruth,
    class_coverage,
    group_images,
    guess_from_colour,
    object_colours,
    read_split,
    texture_strength,
    touching_things,
)

CAR, PERSON, ROAD = 13, 11, 0


def truth(category: np.ndarray, instance: np.ndarray, image=None, depth=None) -> GroundTruth:
    if image is None:
        image = np.zeros((*category.shape, 3), np.uint8)
    return GroundTruth(image, category.astype(np.int64), instance.astype(np.int64), depth)


@pytest.fixture
def street():
    """Road; cars 1 and 2 side by side, car 3 alone, a person beside car 3, a group of persons."""
    category = np.full((24, 60), ROAD)
    instance = np.zeros((24, 60), int)
    for number, left in ((1, 0), (2, 10), (3, 30)):
        category[8:16, left : left + 10] = CAR
        instance[8:16, left : left + 10] = number
    category[8:16, 40:45] = PERSON
    instance[8:16, 40:45] = 1
    category[8:16, 45:50] = PERSON  # a group: no instance
    category[:, 59] = -1
    return category, instance


def test_class_coverage(street):
    images, share = class_coverage([truth(*street), truth(street[0] * 0, street[1] * 0)])
    pixels = 2 * 24 * 60
    assert images[[ROAD, CAR, PERSON]].tolist() == [2, 1, 1]
    assert share[CAR] == pytest.approx(240 / pixels)
    assert share[PERSON] == pytest.approx(80 / pixels)
    assert share[ROAD] == pytest.approx((24 * 59 - 320 + 24 * 60) / pixels)
    assert images.sum() == 4


def test_group_images_and_void(street):
    groups, void = group_images([truth(*street), truth(street[0] * 0, street[1] * 0)])
    assert groups == 1
    assert void == pytest.approx(24 / (24 * 60) / 2)


def test_touching_counts_neighbours_of_the_same_class_only(street):
    found = touching_things([truth(*street)])
    # cars 1 and 2; not car 3 and the person, not the person and the group
    assert (found.things, found.touching, found.pairs, found.visible_pairs) == (4, 2, 1, 0)


def test_corners_do_not_touch():
    category = np.full((4, 4), CAR)
    instance = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]])
    category[instance == 0] = ROAD
    assert touching_things([truth(category, instance)]).touching == 0


@pytest.mark.parametrize(("step_m", "visible"), [(2.8, 0), (3.6, 1)])
def test_a_pair_is_parted_by_depth_from_about_3_m(street, step_m, visible):
    depth = np.where(street[1] == 2, 0.2 + step_m / 40, 0.2).astype(np.float32)
    assert touching_things([truth(*street, depth=depth)]).visible_pairs == visible


def test_object_colours_are_means_per_thing_and_per_region(street):
    category, instance = street
    category[8:16, 20:30] = -1  # leaves the road in one piece, the void is none
    image = np.full((24, 60, 3), (10, 20, 30), np.uint8)
    image[instance == 1] = (100, 0, 0)
    image[8:16, :5] = (200, 0, 0)  # half of car 1
    colours, classes, images = object_colours([truth(category, instance, image)])
    assert sorted(classes.tolist()) == [ROAD, PERSON, CAR, CAR, CAR]
    assert set(images.tolist()) == {0}
    cars = sorted(colours[classes == CAR].tolist())
    assert cars == [[10, 20, 30], [10, 20, 30], [150, 0, 0]]


def test_colour_guess_sees_colours_that_tell_the_class_and_none_that_do_not():
    rng = np.random.default_rng(0)

    def images(tells: bool) -> list[GroundTruth]:
        truths = []
        for _ in range(10):
            category = np.repeat(np.arange(6).repeat(10) % 2, 12).reshape(60, 12).T
            category = np.kron(category, np.ones((1, 1), int))
            image = np.zeros((12, 60, 3), np.uint8)
            for block in range(6):
                level = (block % 2) * 120 if tells else int(rng.integers(120))
                image[:, block * 10 : block * 10 + 10] = level + rng.integers(20)
            truths.append(truth(category, category * 0, image))
        return truths

    told = guess_from_colour(images(True), trees=20)
    assert told.objects == 60
    assert told.majority == told.chance == 0.5
    assert told.accuracy == told.balanced_accuracy == 1.0
    assert guess_from_colour(images(False), trees=20).balanced_accuracy < 0.75


def test_texture_strength_is_the_standard_deviation_of_brightness():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, ::2] = 51  # 0 and 0.2 in turn: 0.1
    strength = texture_strength([truth(np.zeros((60, 60)), np.zeros((60, 60)), image)])
    assert strength[ROAD] == pytest.approx(0.1, abs=1e-3)
    assert np.isnan(strength[1:]).all()


def test_read_split_reads_what_is_there(tmp_path):
    for part in ("leftImg8bit", "gtFine"):
        (tmp_path / part / "val" / "town").mkdir(parents=True)
    image = np.zeros((4, 8, 3), np.uint8)
    image[..., 2] = 255  # red, as OpenCV orders colours
    ids = np.full((4, 8), 7, np.uint16)
    ids[:, 4:] = 26003
    stem = "town_000000_000019"
    cv2.imwrite(str(tmp_path / f"leftImg8bit/val/town/{stem}_leftImg8bit.png"), image)
    cv2.imwrite(str(tmp_path / f"gtFine/val/town/{stem}_gtFine_instanceIds.png"), ids)
    [found] = read_split(tmp_path, "val")
    assert found.depth is None
    assert found.image[0, 0].tolist() == [255, 0, 0]
    assert found.category[0].tolist() == [ROAD] * 4 + [CAR] * 4
    assert found.instance[0].tolist() == [0] * 4 + [4] * 4
