"""The two predict passes that fill a codebook."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

import pytorch_lightning as pl
from pytorch_lightning.cli import LightningArgumentParser

from lightning_modules.codebook_fitter import CodebookFitter
from lightning_modules.thing_finder import ThingFinder
from relief.schema.errors import UsageError
from relief.schema.selection import evenly_spaced

log = logging.getLogger("relief")


def add_pass_arguments(parser: LightningArgumentParser) -> None:
    """Adds the parts `fitter` and `thingness`, which share the labeller's own."""
    shared = ("backbone", "codebook", "geometry")
    also = (*shared, "depth", "split_short_side_px", "segmentation")
    for base, name, parts in ((CodebookFitter, "fitter", shared), (ThingFinder, "thingness", also)):
        parser.add_subclass_arguments(base, name, required=False)
        for part in parts:
            wanted = f"{name}.init_args.{part}"
            parser.link_arguments(f"model.{part}", wanted, apply_on="instantiate")


class PassData(Protocol):
    """The part of a DataModule that the passes use."""

    fit_source: Any

    def items(self, source: Any) -> list[Any]:
        """The images of a source, sorted by key."""

    def observed_items(self) -> list[Any]:
        """The images that things and groups are decided on."""

    def begin(self, name: Any, items: Sequence[Any], *, with_targets: bool = False) -> None:
        """Says what the next pass reads."""


def expect_codebook(data: Any, fitter: CodebookFitter, finder: ThingFinder | None) -> None:
    """Finds before any work what would stop the passes later.

    Args:
        data: A DataModule; without ground truth its `label_space` has no classes.
        fitter: First pass.
        finder: Second pass, if there is one.

    Raises:
        UsageError: Clusters are to be named in other classes than the ground truth has.
        WeightsError: Published centroids cannot be read.
    """
    space = data.label_space
    for role, part in (("fitter", fitter), ("thingness", finder)):
        wanted = getattr(part, "oracle_classes", None)
        if wanted is not None and wanted != space.name:
            there = f"the classes {space.name}" if space.num_classes else "no classes"
            msg = (
                f"the ground truth has {there}: {role}.oracle_classes is {wanted}. "
                "Give it the name of data.label_space, or leave it out."
            )
            raise UsageError(msg)
    fitter.expect()
    if finder is not None:
        finder.expect()


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
    items = evenly_spaced(source.items(source.fit_source), fitter.max_samples)
    start = time.perf_counter()
    fitter.begin(len(items), source.fit_source.split)
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
