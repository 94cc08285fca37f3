"""The embedded sample: drawn on first use, then read like any Cityscapes tree."""

from __future__ import annotations

import logging

from datamodules.cityscapes import Cityscapes
from relief.samples.draw import draw_sample

log = logging.getLogger("relief")


class SampleScenes(Cityscapes):
    """`Cityscapes` over drawn scenes; see `relief.samples`."""

    def prepare_data(self) -> None:
        """Draws the scenes unless they were drawn before."""
        seconds = draw_sample(self.source.root)
        if seconds:
            log.info("sample: %.1f s", seconds, extra={"step": "sample", "seconds": seconds})
