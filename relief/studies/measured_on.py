"""The data set that a command measures on: any source, or a Cityscapes tree."""

from __future__ import annotations

from dataclasses import dataclass

from relief.schema.label_spaces import SpaceName
from relief.schema.sources import ImageSource
from relief.sources.cityscapes import given_or_cityscapes

SAMPLE_ROOT = "outputs/sample"


@dataclass(frozen=True, kw_only=True)
class MeasuredOn:
    """Names ground truth.

    Args:
        root: Cityscapes folder with gtFine.
        split: Split that is measured.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
    """

    root: str = SAMPLE_ROOT
    split: str = "val"
    label_space: SpaceName = "cityscapes19"
    truth: ImageSource | None = None

    @property
    def ground_truth(self) -> ImageSource:
        """The data set that is measured on."""
        return given_or_cityscapes(self.truth, self.root, self.split, self.label_space)
