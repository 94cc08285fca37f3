"""The embedded sample: drawn on first use, then read like any Cityscapes tree."""

from __future__ import annotations

from datamodules.cityscapes import Cityscapes
from relief.samples.draw import ensure_sample


class SampleScenes(Cityscapes):
    """`Cityscapes` over drawn scenes; see `relief.samples`."""

    def prepare_data(self) -> None:
        """Draws the scenes unless they were drawn before."""
        ensure_sample(self.root)
