"""Measures the labels against ground truth once all of them are written."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from relief.formats.label_store import LabelStore
from relief.schema.batch import Failure, first_reasons
from relief.schema.errors import ReadError, UsageError
from relief.studies.scoring.label_sources import STORE, are_class_ids
from relief.studies.scoring.score import WRITTEN, score_labels, write_scores

log = logging.getLogger("relief")


class PanopticEvaluator(pl.Callback):
    """Writes OUT/metrics.json, the same figures that `evaluate.py labels` gives.

    Ground truth is read here for the first time in a run; without any, nothing is measured.

    Args:
        protocols: Names of PQ protocols; the first is the headline. Without any, nothing is
            measured.
        assignments: How clusters meet classes inside the metric; class ids meet by `identity`.
    """

    def __init__(
        self,
        protocols: Sequence[str] = ("panopticapi", "cups", "seed"),
        assignments: Sequence[str] = ("majority", "hungarian"),
    ) -> None:
        self.protocols = tuple(protocols)
        self.assignments = tuple(assignments)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Scores the store; after the writer in the list of callbacks."""
        del pl_module
        data = trainer.datamodule  # type: ignore[attr-defined]
        if data.current_pass != "label" or not trainer.is_global_zero or not self.protocols:
            return
        truth = data.ground_truth()
        if truth is None:
            log.info("no ground truth in this split: nothing measured")
            return
        start = time.perf_counter()
        out = Path(trainer.default_root_dir)
        store = LabelStore(out)
        are_classes = are_class_ids(store, STORE, data.label_space)
        assignments = ("identity",) if are_classes else self.assignments
        try:
            scores = score_labels(
                store,
                truth,
                self.protocols,
                assignments,
                fitted_on=truth.split,
            )
        except (ReadError, UsageError) as error:
            log.warning("nothing measured: %s", error)
            for name in WRITTEN:  # of an earlier run: not of these labels
                (out / name).unlink(missing_ok=True)
            return
        write_scores(out, scores)
        without = [k for k in store.keys if truth.target_path(k) is None]
        left_out = [Failure(key=k, reason="no ground truth") for k in without] + scores.failures
        if left_out:
            measured, told = len(store.keys) - len(left_out), first_reasons(left_out)
            log.warning("measured %d of %d images; %s", measured, len(store.keys), told)
        seconds = time.perf_counter() - start
        log.info("measuring: %.1f s", seconds, extra={"step": "measuring", "seconds": seconds})
