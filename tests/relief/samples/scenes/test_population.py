from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from relief.samples.scenes.population import Population
from relief.samples.scenes.view import View

VIEW = View(horizon_px=220.0, centre_px=512.0, focal_px=700.0, height_m=1.6, bend=0.0)


@pytest.fixture(scope="module")
def streets():
    return [
        Population(np.random.default_rng(seed), VIEW, 4.5, (-8.0, 7.0), 1024).draw()
        for seed in range(20)
    ]


def test_every_thing_stands_on_many_streets(streets):
    count = Counter(label for street in streets for label in {item.label for item in street})
    for label in ("person", "rider", "car", "bicycle", "motorcycle", "pole"):
        assert count[label] >= 12, label
    for label in ("truck", "bus", "train", "traffic light", "traffic sign"):
        assert count[label] >= 5, label


def test_some_are_groups(streets):
    groups = [item.label for street in streets for item in street if item.is_group]
    assert len(groups) >= 5
    assert set(groups) <= {"person", "bicycle"}


def test_people_and_two_wheelers_stay_between_the_facades(streets):
    for item in (item for street in streets for item in street if not item.is_group):
        if item.label in ("person", "rider", "bicycle", "motorcycle"):
            x_m = (item.column_px - VIEW.centre_px) * item.z_m / VIEW.focal_px
            assert -8.0 <= x_m <= 7.0


def test_a_rider_sits_just_before_the_machine(streets):
    for street in streets:
        machines = {
            (item.column_px, round(item.z_m - 0.05, 6))
            for item in street
            if item.label in ("bicycle", "motorcycle")
        }
        for rider in (item for item in street if item.label == "rider"):
            assert (rider.column_px, round(rider.z_m, 6)) in machines
