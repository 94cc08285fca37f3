from __future__ import annotations

from xml.etree import ElementTree

import pytest

from relief.reports.figures.instance_histogram import instance_histogram


@pytest.mark.parametrize(
    ("ours", "truth"), [([0], []), ([3, 3, 40], [1, 2]), ([], []), ([900], [1])]
)
def test_a_drawing_that_a_page_can_hold(ours: list[int], truth: list[int]) -> None:
    text = instance_histogram(ours, truth)
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    words = " ".join(root.itertext())
    assert ("ground truth" in words) == bool(truth)
    assert text == instance_histogram(ours, truth)


def test_the_mean_is_said() -> None:
    assert "labels, 2.5 an image" in instance_histogram([2, 3])
