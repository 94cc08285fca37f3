from __future__ import annotations

import pytest
import torch

from relief.ops.panoptic import count_instances
from relief.reports.store_figures import StoreFigures

IS_THING = torch.tensor([False, True, True])
#        road    thing1#1 thing1#2 thing2#2 thing2 without   void
ROW = torch.tensor([[[0, 0], [1, 1], [1, 2], [2, 2], [2, 0], [-1, 0]]])


def test_counts_of_one_image() -> None:
    figures = StoreFigures(3, IS_THING)
    figures.add(ROW, target=ROW[:, :3])
    assert figures.pixels.tolist() == [1, 2, 2]
    assert figures.images_with.tolist() == [1, 1, 1]
    assert (figures.void_px, figures.thing_px, figures.covered_px) == (1, 4, 3)
    assert figures.coverage == 0.75
    assert figures.instances_per_image == [3]
    assert figures.true_instances_per_image == [2]
    assert figures.shares.tolist() == pytest.approx([1 / 6, 2 / 6, 2 / 6])


def test_no_thing_and_no_image() -> None:
    figures = StoreFigures(3, IS_THING)
    assert figures.coverage is None
    assert figures.shares.tolist() == [0, 0, 0]
    figures.add(torch.full((2, 2, 2), 0))
    assert figures.coverage is None
    assert figures.instances_per_image == [0]
    assert figures.true_instances_per_image == []


def test_equal_numbers_of_two_categories_are_two_instances() -> None:
    assert count_instances(torch.tensor([[[1, 7], [2, 7], [2, 7], [0, 0]]])) == 2
    assert count_instances(torch.tensor([[[-1, 0]]])) == 0
