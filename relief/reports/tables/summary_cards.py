"""The figures that open the report, and the sentence about its instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relief.formats.reader import LabelReader
from relief.reports.store_figures import StoreFigures
from relief.reports.tables.quality import headline_first, percent

_HEADLINE = {"pq": "PQ", "pq_things": "PQ things", "pq_stuff": "PQ stuff", "miou": "mIoU"}


@dataclass(frozen=True)
class Card:
    """One figure in large print."""

    value: str
    label: str
    hint: str = ""


def summary_cards(
    labels: LabelReader,
    figures: StoreFigures,
    metrics: Mapping[str, Mapping[str, Any]] | None,
) -> list[Card]:
    """The figures at the top of the page."""
    cards = [Card(f"{len(labels.keys):,}".replace(",", " "), "images labelled")]
    if metrics:
        name, headline = next(iter(headline_first(metrics).items()))
        hint = name.replace("/", ", ")
        cards += [
            Card(percent(headline[key]), title, hint)
            for key, title in _HEADLINE.items()
            if key in headline
        ]
    things = len(labels.thing_ids or ())
    used = int((figures.images_with > 0).sum())
    hint = f"{used} occur here" if used < labels.num_categories else ""
    cards.append(Card(str(things), f"of {labels.num_categories} ids are things", hint))
    if figures.coverage is not None:
        coverage = f"{100 * figures.coverage:.0f} %"
        cards.append(Card(coverage, "of thing pixels have an instance"))
    if figures.instances_per_image:
        cards.append(Card(_mean(figures.instances_per_image), "instances an image"))
    return cards


def instances_sentence(figures: StoreFigures) -> str:
    """Instances and coverage in words."""
    sentence = f"{_mean(figures.instances_per_image)} instances an image"
    if figures.true_instances_per_image:
        sentence += f"; the ground truth has {_mean(figures.true_instances_per_image)}"
    if figures.coverage is None:
        return f"{sentence}. No pixel belongs to a thing."
    covered = f"{100 * figures.coverage:.1f} % of the pixels of things have an instance"
    return f"{sentence}. {covered}; the others are void in the panoptic labels."


def _mean(counts: list[int]) -> str:
    return f"{sum(counts) / max(1, len(counts)):.1f}"
