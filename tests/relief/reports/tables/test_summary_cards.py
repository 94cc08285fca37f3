from __future__ import annotations

import torch

from relief.reports.store_figures import StoreFigures
from relief.reports.tables.summary_cards import Card, instances_sentence, summary_cards


class Labels:
    keys = tuple(str(i) for i in range(1234))
    num_categories = 80
    thing_ids = (1, 2)


def figures(*rows: list[list[int]], target: bool = False) -> StoreFigures:
    counted = StoreFigures(3, torch.tensor([False, True, True]))
    for row in rows:
        panoptic = torch.tensor([row])
        counted.add(panoptic, panoptic if target else None)
    return counted


def test_cards() -> None:
    metrics = {"panopticapi/majority": {"pq": 26.74, "pq_stuff": 31.0}, "cups/cups": {"miou": 1.0}}
    assert summary_cards(Labels(), figures([[1, 1], [1, 0]], [[0, 0]]), metrics) == [
        Card("1 234", "images labelled"),
        Card("26.7", "PQ", "panopticapi, majority"),
        Card("31.0", "PQ stuff", "panopticapi, majority"),
        Card("2", "of 80 ids are things", "2 occur here"),
        Card("50 %", "of thing pixels have an instance"),
        Card("0.5", "instances an image"),
    ]


def test_the_sentence_about_instances() -> None:
    assert instances_sentence(figures([[1, 1], [1, 0], [2, 2]], target=True)) == (
        "2.0 instances an image; the ground truth has 2.0. "
        "66.7 % of the pixels of things have an instance; "
        "the others are void in the panoptic labels."
    )
    assert instances_sentence(figures([[0, 0]])) == (
        "0.0 instances an image. No pixel belongs to a thing."
    )
