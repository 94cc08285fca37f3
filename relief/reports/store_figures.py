"""Figures of labels without ground truth: coverage, instances, cluster shares."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from relief.ops.panoptic import count_instances
from relief.schema.label_spaces import VOID


@dataclass
class StoreFigures:
    """Counts over some images; `add` each of them.

    Attributes:
        num_categories: How many ids there may be.
        is_thing: (num_categories,) bool.
        pixels: (num_categories,) int64, by panoptic category.
        images_with: (num_categories,) int64, images in which the category occurs.
        void_px: Pixels without a category.
        thing_px: Pixels of thing categories.
        covered_px: Those of them that have an instance.
        instances_per_image: In the order they were added.
        true_instances_per_image: Of the ground truth, where there is some.
    """

    num_categories: int
    is_thing: Tensor
    pixels: Tensor = field(init=False)
    images_with: Tensor = field(init=False)
    void_px: int = 0
    thing_px: int = 0
    covered_px: int = 0
    instances_per_image: list[int] = field(default_factory=list)
    true_instances_per_image: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pixels = torch.zeros(self.num_categories, dtype=torch.int64)
        self.images_with = torch.zeros(self.num_categories, dtype=torch.int64)

    def add(self, panoptic: Tensor, target: Tensor | None = None) -> None:
        """Counts one image.

        Args:
            panoptic: (H, W, 2) int64 (category, instance).
            target: Ground truth of the same form, where there is some.
        """
        category, instance = panoptic.unbind(-1)
        counts = category[category != VOID].bincount(minlength=self.num_categories)
        self.pixels += counts
        self.images_with += counts > 0
        self.void_px += int((category == VOID).sum())
        self.thing_px += int(counts[self.is_thing].sum())
        self.covered_px += int((instance > 0).sum())
        self.instances_per_image.append(count_instances(panoptic))
        if target is not None:
            self.true_instances_per_image.append(count_instances(target))

    @property
    def coverage(self) -> float | None:
        """Share of thing pixels that have an instance; `None` without thing pixels."""
        return self.covered_px / self.thing_px if self.thing_px else None

    @property
    def shares(self) -> Tensor:
        """(num_categories,) share of all pixels that each category has."""
        return self.pixels / max(1, int(self.pixels.sum()) + self.void_px)
