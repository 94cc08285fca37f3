"""Writes labels as they come, image by image, and checks at the end that none is missing."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.files.background_writer import BackgroundWriter
from relief.formats.label_run import LabelRun
from relief.formats.label_store import LabelStore
from relief.formats.segment_ids import compose_segment_ids
from relief.formats.shards.store import plan_shards, shard_segments
from relief.ops.host_copy import HostCopy
from relief.schema.batch import Failure, PanopticPrediction
from relief.schema.categories import categories_of
from relief.schema.errors import ReadError, reason_of
from relief.schema.manifest import ManifestInputs
from relief.schema.ranges import check_at_least

log = logging.getLogger("relief")
_FEWEST, _MOST = 2, 16  # threads


def share_of_cores(processes: int) -> int:
    """Returns how many threads write in each of the processes that share this machine's cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(max((cores or 1) // processes, _FEWEST), _MOST)


class LabelWriter(BasePredictionWriter):
    """Writes `semantic/KEY.png` and `panoptic/KEY.png`; notes the images that failed.

    The other passes of a run predict nothing (`None`) and are passed over. When all ranks have
    labelled their share, or will never do so, rank 0 checks every file, completes the manifest
    and writes `panoptic.json`.

    Args:
        num_threads: Images written at the same time, beside the labelling. `None`: this process's
            share of the machine's cores, at least 2 and at most 16.
        most_waiting: Images labelled but not written yet; bounds the memory they hold. `None`:
            twice as many.

    Raises:
        UsageError: A number is below 1.
    """

    def __init__(self, num_threads: int | None = None, most_waiting: int | None = None) -> None:
        super().__init__(write_interval="batch")
        self.run: LabelRun | None = None
        check_at_least(1, num_threads=num_threads, most_waiting=most_waiting)
        self.num_threads, self.most_waiting = num_threads, most_waiting
        self._writer: BackgroundWriter | None = None
        self._is_thing = torch.zeros(0, dtype=torch.bool)
        self._start = 0.0

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the run's folder when labels are to be written."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        labels = data.current_pass in ("shard", "label")
        self.run = LabelRun(data.shard_folder or Path(trainer.default_root_dir)) if labels else None
        if labels:
            is_thing = cast(Any, pl_module).manifest(ManifestInputs()).is_thing
            self._is_thing = is_thing.to(pl_module.device)
            threads = self.num_threads or share_of_cores(trainer.num_devices)
            self._writer = BackgroundWriter(threads, self.most_waiting or 2 * threads)
        self._start = time.perf_counter()

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: PanopticPrediction | None,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Gives one batch to the writing threads."""
        del pl_module, batch_indices, batch, batch_idx, dataloader_idx
        if prediction is None or self.run is None or self._writer is None:
            return
        stops = trainer.datamodule.on_error == "stop"  # type: ignore[attr-defined]
        for key, record in zip(prediction["key"], prediction["records"], strict=True):
            segments = compose_segment_ids(record.panoptic, self._is_thing)
            maps = HostCopy.of(record.semantic.to(torch.int16), segments, record.confidence)
            self._writer.submit(self._write, key, maps, stops)
        for failure in prediction["failures"]:
            self._record(failure, stops)

    def _write(self, key: str, maps: HostCopy, stops: bool) -> None:
        """Writes one image; labels that no file can hold are that image's failure."""
        try:
            semantic, segments, sure = maps.wait()
            ids = cast(Tensor, semantic), cast(Tensor, segments)
            cast(LabelRun, self.run).write(key, *ids, len(self._is_thing), sure)
        except Exception as error:
            self._record(Failure(key=key, reason=reason_of(error, key)), stops)

    def _record(self, failure: Failure, stops: bool) -> None:
        cast(LabelRun, self.run).record_failure(failure)
        if stops:
            raise ReadError(failure["reason"])

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Waits for all ranks; rank 0 completes the store, where it is no shard."""
        del pl_module
        if self.run is None or self._writer is None:
            return
        self._writer.finish()
        self._wait_for_all(trainer)
        is_shard = trainer.datamodule.current_pass == "shard"  # type: ignore[attr-defined]
        if trainer.is_global_zero and not is_shard:
            self.run.complete()
            self._write_json(self.run.out, trainer.datamodule)  # type: ignore[attr-defined]
            seconds = time.perf_counter() - self._start
            log.info("labels: %.1f s", seconds, extra={"step": "labels", "seconds": seconds})

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Writes what was labelled before the exception."""
        del trainer, pl_module, exception
        if self._writer is not None:
            self._writer.close()

    def _wait_for_all(self, trainer: pl.Trainer) -> None:
        """A process that died keeps nobody waiting; its images are missing, and told so."""
        peers = getattr(trainer.strategy, "peers", None)
        if peers is None:
            trainer.strategy.barrier("labels")
            return
        for rank, reason in peers.meet(without_the_lost=True).items():
            log.warning("lost process %d: %s", rank, reason)

    def _write_json(self, out: Path, data: Any) -> None:
        store = LabelStore(out)
        categories = categories_of(store.manifest)
        file_names = {key: data.item(key).file_name for key in store.keys}
        shards = plan_shards(store.manifest)
        described = shard_segments(out, shards) if shards else None
        objects = write_panoptic_json(
            out, store.keys, categories, file_names, (), described, store.confidence
        )
        if store.keys and not objects:
            log.warning(
                "no object in any of %d images: no cluster is a thing, or splitter.min_area_px "
                "is above all of them. See things and groups in report.html.",
                len(store.keys),
            )
