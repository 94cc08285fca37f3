"""The two predict passes that fill a codebook."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

import pytorch_lightning as pl

from lightning_modules.codebook_fitter import CodebookFitter
from lightning_modules.thing_finder import ThingFinder
from relief.schema.errors import UsageError
from relief.schema.selection import evenly_spaced

log = logging.getLogger("relief")


class PassData(Protocol):
    """What the passes ask of a DataModule."""

    fit_split: str

    def items(self, split: str) -> list[Any]:
        """The images of a split, sorted by key."""

    def observed_items(self) -> list[Any]:
        """The images that things and groups are decided on."""

    def begin(self, name: Any, items: Sequence[Any], *, with_targets: bool = False) -> None:
        """Says what the next pass reads."""


def fit_codebook(
    trainer: pl.Trainer, data: Any, fitter: CodebookFitter, finder: ThingFinder | None
) -> None:
    """Fits centroids on the fit split, then decides things and groups on a part of the images.

    With more images than samples, evenly spaced images give one sample each.

    Args:
        trainer: Runs both passes.
        data: A DataModule that fits `PassData`.
        fitter: First pass; fills the centroids of the codebook it shares with `finder`.
        finder: Second pass; under the new centroids. `None` where classes decide.

    Raises:
        UsageError: Nothing decides which clusters are things.
    """
    if finder is None and not fitter.needs_targets:
        msg = "nothing decides which clusters are things: thingness. Name a ThingFinder there."
        raise UsageError(msg)
    source: PassData = data
    items = evenly_spaced(source.items(source.fit_split), fitter.max_samples)
    start = time.perf_counter()
    fitter.begin(len(items))
    source.begin("fit", items, with_targets=fitter.needs_targets)
    trainer.predict(fitter, datamodule=data, return_predictions=False)
    _log("centroids", len(items), start)

    if finder is None or fitter.needs_targets:
        return
    start = time.perf_counter()
    seen = source.observed_items()
    source.begin("observe", seen, with_targets=finder.needs_targets)
    trainer.predict(finder, datamodule=data, return_predictions=False)
    _log("things and groups", len(seen), start)


def _log(step: str, num_images: int, start: float) -> None:
    seconds = time.perf_counter() - start
    told = {"step": step, "seconds": seconds}
    log.info("%s from %d images: %.1f s", step, num_images, seconds, extra=told)
